// softplus(x) = log(1 + exp(b x)) / b = max(x, 0) + log1p(exp(-b |x|)) / b, and its derivative, on a CPU.
//
// t = exp(-b |x|) is at least exp(-40), beyond which the sum is max(x, 0) to all digits: neither it nor its square is ever
// denormal, which would take a hundred times as long. log1p t / t on (0, 1] is a Chebyshev fit of degree 8 (2e-8).
// The same bits come with any number of threads.
//
// Plain C entry points, called through ctypes. Arrays are float32, contiguous and owned by the caller.

#include <cstdint>
#include <cstring>

#if defined(_WIN32)
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

#if defined(__GNUC__)
#define INLINE __attribute__((always_inline)) inline
#else
#define INLINE inline
#endif

namespace {

constexpr int64_t kBlock = 8192;       // elements that one thread works off at a time
constexpr double kFar = 40;
constexpr float kMagic = 12582912.0f;  // 1.5 * 2^23: added and taken away again, it rounds

// exp(u) of u in [-40, 0] to about 1e-7: 2^n exp(r), |r| <= ln 2 / 2.
INLINE float exponential(float u) {
    const float shifted = u * 1.44269504088896341f + kMagic, n = shifted - kMagic;
    const float r = (u - n * 0.693359375f) + n * 2.12194440e-4f;  // ln 2 in two parts
    float p = 1.0f / 5040;
    p = p * r + 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    int32_t bits;
    std::memcpy(&bits, &shifted, sizeof bits);
    bits = static_cast<int32_t>(static_cast<uint32_t>(bits + 127) << 23);  // the low bits of `shifted` are n
    float power;
    std::memcpy(&power, &bits, sizeof power);
    return p * power;
}

// `far` is 40 / b, no constant: of a constant, compilers take the exponential beforehand and choose after all the work.
INLINE float soft(float x, float b, float inverse, float far) {
    const float size = x < 0 ? -x : x, t = exponential(-b * (size > far ? far : size));
    float p = 0.005253457929939032f;
    p = p * t - 0.02958850748836994f;
    p = p * t + 0.07836166769266129f;
    p = p * t - 0.13674770295619965f;
    p = p * t + 0.19111430644989014f;
    p = p * t - 0.24844369292259216f;
    p = p * t + 0.33319270610809326f;
    p = p * t - 0.49999502301216125f;
    p = p * t + 1.0f;
    return (x > 0 ? x : 0.0f) + t * p * inverse;
}

INLINE float slope(float y, float b, float far) { return 1.0f - exponential(-b * (y > far ? far : y)); }

// One build of the loops for each instruction set; the widest that the machine has is taken at run time. The derivative
// dy/dx = 1 / (1 + exp(-b x)) = 1 - exp(-b y) is found of what the next layer keeps anyway.
#define LOOPS(NAME, TARGET)                                                                                          \
    TARGET void forward_##NAME(const float* x, float* y, int64_t count, float b, float inverse, float far) {         \
        _Pragma("omp simd") for (int64_t i = 0; i < count; ++i) y[i] = soft(x[i], b, inverse, far);                  \
    }                                                                                                                \
    TARGET void backward_##NAME(const float* y, const float* dy, float* dx, int64_t count, float b, float far) {     \
        _Pragma("omp simd") for (int64_t i = 0; i < count; ++i) dx[i] = dy[i] * slope(y[i], b, far);                 \
    }

LOOPS(plain, )
#if defined(__GNUC__) && defined(__x86_64__)
LOOPS(avx2, __attribute__((target("avx2,fma"))))
LOOPS(avx512, __attribute__((target("avx512f,fma,prefer-vector-width=512"))))
const bool kAvx512 = __builtin_cpu_supports("avx512f"), kAvx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
const auto forward = kAvx512 ? forward_avx512 : kAvx2 ? forward_avx2 : forward_plain;
const auto backward = kAvx512 ? backward_avx512 : kAvx2 ? backward_avx2 : backward_plain;
#else
const auto forward = forward_plain;
const auto backward = backward_plain;
#endif

template <class Part>
void in_blocks(int64_t count, int threads, const Part& part) {
    const int64_t blocks = (count + kBlock - 1) / kBlock;
    if (threads <= 1 || blocks < 4) {
        part(0, count);
        return;
    }
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int64_t block = 0; block < blocks; ++block) {
        const int64_t first = block * kBlock, left = count - first;
        part(first, left < kBlock ? left : kBlock);
    }
}

}  // namespace

extern "C" {

// y may be x.
EXPORT void softplus_forward(int64_t count, const float* x, float* y, double b, int threads) {
    const float steep = static_cast<float>(b), inverse = static_cast<float>(1 / b), far = static_cast<float>(kFar / b);
    in_blocks(count, threads, [&](int64_t at, int64_t size) { forward(x + at, y + at, size, steep, inverse, far); });
}

// dx may be dy.
EXPORT void softplus_backward(int64_t count, const float* y, const float* dy, float* dx, double b, int threads) {
    const float steep = static_cast<float>(b), far = static_cast<float>(kFar / b);
    in_blocks(count, threads, [&](int64_t at, int64_t size) { backward(y + at, dy + at, dx + at, size, steep, far); });
}

}  // extern "C"
