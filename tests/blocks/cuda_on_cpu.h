// Enough of CUDA to run a kernel on a CPU: each thread of a block is a fiber, which runs until it has to wait for others.
// Only for tests: what a kernel computes is the same, how fast is not.

#pragma once

#include <math.h>
#include <setjmp.h>
#include <string.h>
#include <ucontext.h>

#include <cstdint>
#include <cstdlib>
#include <utility>
#include <vector>

#define __device__
#define __global__
#define __forceinline__ inline
#define __launch_bounds__(threads)
#define __shared__ static  // one block runs at a time

struct float4 {
    float x, y, z, w;
};
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline unsigned __float_as_uint(float x) {
    unsigned bits;
    memcpy(&bits, &x, 4);
    return bits;
}
inline float __uint_as_float(unsigned bits) {
    float x;
    memcpy(&x, &bits, 4);
    return x;
}
inline double __dmul_rn(double a, double b) { return a * b; }
inline double __dadd_rn(double a, double b) { return a + b; }
inline float __fdividef(float a, float b) { return a / b; }
inline int __ffs(unsigned x) { return __builtin_ffs(static_cast<int>(x)); }
inline int __clz(unsigned x) { return x ? __builtin_clz(x) : 32; }
inline int min(int a, int b) { return a < b ? a : b; }
inline int max(int a, int b) { return a > b ? a : b; }

inline unsigned long long atomicMin(unsigned long long* at, unsigned long long value) {
    const unsigned long long old = *at;  // no fiber is interrupted
    if (value < old) *at = value;
    return old;
}

struct Index {
    unsigned x, y, z;
};
inline Index threadIdx, blockIdx, gridDim;

namespace fibers {

constexpr int kMost = 256, kStack = 1 << 16;

struct Barrier {
    int arrived = 0, members = 0;
    unsigned passed = 0;
    void let_go_if_complete() {
        if (arrived && arrived == members) {
            arrived = 0;
            ++passed;
        }
    }
};

struct Fiber {
    ucontext_t first;
    jmp_buf at;
    bool started = false, done = false;
    const Barrier* waits_for = nullptr;
    unsigned seen = 0, exchanges = 0, votes = 0;
};

inline Fiber all[kMost];
inline std::vector<char> stacks;
inline Barrier block, warps[kMost / 32];
inline uint64_t mail[2][kMost];
inline bool ballot[2];
inline jmp_buf scheduler;
inline ucontext_t scheduler_first;
inline void (*body)(void*);
inline void* given;

inline void wait(Barrier& barrier) {
    Fiber& me = all[threadIdx.x];
    me.seen = barrier.passed;
    me.waits_for = &barrier;
    ++barrier.arrived;
    barrier.let_go_if_complete();
    if (barrier.passed != me.seen) return;
    if (!_setjmp(me.at)) _longjmp(scheduler, 1);
}

inline void enter() {
    body(given);
    all[threadIdx.x].done = true;
    for (Barrier* barrier : {&block, &warps[threadIdx.x / 32]}) {
        --barrier->members;
        barrier->let_go_if_complete();
    }
    _longjmp(scheduler, 1);
}

inline void run_block(int threads) {
    stacks.resize(static_cast<size_t>(kMost) * kStack);
    block = {0, threads, 0};
    for (int w = 0; w < threads / 32; ++w) warps[w] = {0, 32, 0};
    ballot[0] = ballot[1] = false;
    for (int t = 0; t < threads; ++t) {
        Fiber& fiber = all[t];
        fiber.started = fiber.done = false;
        fiber.waits_for = nullptr;
        fiber.exchanges = fiber.votes = 0;
        getcontext(&fiber.first);
        fiber.first.uc_stack.ss_sp = stacks.data() + static_cast<size_t>(t) * kStack;
        fiber.first.uc_stack.ss_size = kStack;
        fiber.first.uc_link = nullptr;
        makecontext(&fiber.first, enter, 0);
    }
    static volatile int left, t;  // they live through the jumps
    for (left = threads; left;) {
        left = 0;
        for (t = 0; t < threads; t = t + 1) {
            Fiber& fiber = all[t];
            if (fiber.done) continue;
            left = left + 1;
            if (fiber.waits_for && fiber.waits_for->passed == fiber.seen) continue;
            fiber.waits_for = nullptr;
            threadIdx = {static_cast<unsigned>(t), 0, 0};
            if (_setjmp(scheduler)) continue;
            if (fiber.started) _longjmp(fiber.at, 1);
            fiber.started = true;
            setcontext(&fiber.first);
        }
    }
}

template <class... A, size_t... I>
void launch(void (*kernel)(A...), void** arguments, const int* grid, int threads, std::index_sequence<I...>) {
    struct Call {
        void (*kernel)(A...);
        void** arguments;
    } call{kernel, arguments};
    given = &call;
    body = [](void* p) {
        const Call* c = static_cast<Call*>(p);
        c->kernel(*static_cast<A*>(c->arguments[I])...);
    };
    gridDim = {static_cast<unsigned>(grid[0]), static_cast<unsigned>(grid[1]), static_cast<unsigned>(grid[2])};
    for (unsigned z = 0; z < static_cast<unsigned>(grid[2]); ++z)
        for (unsigned y = 0; y < static_cast<unsigned>(grid[1]); ++y)
            for (unsigned x = 0; x < static_cast<unsigned>(grid[0]); ++x) {
                blockIdx = {x, y, z};
                run_block(threads);
            }
}

template <class... A>
void launch(void (*kernel)(A...), void** arguments, const int* grid, int threads) {
    launch(kernel, arguments, grid, threads, std::index_sequence_for<A...>());
}

}  // namespace fibers

inline void __syncthreads() { fibers::wait(fibers::block); }

inline int __syncthreads_or(int value) {
    bool& any = fibers::ballot[fibers::all[threadIdx.x].votes++ % 2];
    any |= value != 0;
    __syncthreads();
    const bool result = any;
    __syncthreads();
    any = false;
    return result;
}

// Each lane gets the value of another; two mail boxes take turns, so that none is overwritten before it is read.
template <class T>
T __exchange(T value, int from) {
    const unsigned turn = fibers::all[threadIdx.x].exchanges++ % 2;
    memcpy(&fibers::mail[turn][threadIdx.x], &value, sizeof(T));
    fibers::wait(fibers::warps[threadIdx.x / 32]);
    memcpy(&value, &fibers::mail[turn][threadIdx.x / 32 * 32 + from], sizeof(T));
    return value;
}
template <class T>
T __shfl_xor_sync(unsigned, T value, int offset) {
    return __exchange(value, static_cast<int>(threadIdx.x % 32) ^ offset);
}
template <class T>
T __shfl_sync(unsigned, T value, int lane, int width) {
    return __exchange(value, static_cast<int>(threadIdx.x % 32) / width * width + lane);
}
inline unsigned __ballot_sync(unsigned, int value) {
    const unsigned turn = fibers::all[threadIdx.x].exchanges++ % 2, first = threadIdx.x / 32 * 32;
    fibers::mail[turn][threadIdx.x] = value != 0;
    fibers::wait(fibers::warps[threadIdx.x / 32]);
    unsigned bits = 0;
    for (unsigned lane = 0; lane < 32; ++lane) bits |= static_cast<unsigned>(fibers::mail[turn][first + lane]) << lane;
    return bits;
}
inline int __any_sync(unsigned mask, int value) { return __ballot_sync(mask, value) != 0; }
