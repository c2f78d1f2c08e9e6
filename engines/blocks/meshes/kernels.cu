// Rasterising triangle meshes on a GPU, and what a picture's derivative needs: the counterpart of kernels.cpp, where the
// formulas are.
//
// Lanes of a triangle go through the pixels of its box; a pixel keeps the least of 64 bits, the depth before the
// triangle's number, so the order of the triangles does not matter. Sums are made over lists that were sorted, in their
// order. What decides which triangle a pixel shows is rounded as on a CPU: no operations are contracted there. The
// result is the same, bit for bit, each time, and triangles, barycentrics and depths are those of kernels.cpp.
//
// Compiled at run time for the device at hand (cuda_kernels.py); no headers. Arrays are contiguous, on the device;
// float32 if not said otherwise.

#define INLINE __device__ __forceinline__
#define KERNEL extern "C" __global__ void __launch_bounds__(256)

using Key = unsigned long long;

constexpr int kThreads = 256, kLanes = 8;
constexpr double kSlack = 1e-6;  // pixels, for what rounding does to a box

struct Scene {
    long long views, vertices, faces;
    int width, height;
    double near;
};

struct Vector {
    double x, y, z;
};

INLINE long long this_thread() { return static_cast<long long>(blockIdx.x) * kThreads + threadIdx.x; }
INLINE double times(double a, double b) { return __dmul_rn(a, b); }
INLINE double plus(double a, double b) { return __dadd_rn(a, b); }

INLINE Vector vector_of(const float* p) { return {p[0], p[1], p[2]}; }
INLINE Vector cross(const Vector& u, const Vector& v) {
    return {plus(times(u.y, v.z), -times(u.z, v.y)), plus(times(u.z, v.x), -times(u.x, v.z)),
            plus(times(u.x, v.y), -times(u.y, v.x))};
}
INLINE double dot(const Vector& u, const Vector& v) {
    return plus(plus(times(u.x, v.x), times(u.y, v.y)), times(u.z, v.z));
}

// The ray through a pixel: its first two coordinates.
INLINE double across(const double* lens, int column) { return plus(plus(column, 0.5), -lens[2]) / lens[0]; }
INLINE double down(const double* lens, int row) { return plus(plus(row, 0.5), -lens[3]) / lens[1]; }

// Edge functions, turned so that they are positive inside.
struct Triangle {
    Vector normals[3];
    double volume;  // |D|; 0: nothing to be seen
    bool owns[3];   // whether e_i = 0 counts as inside
};

INLINE Triangle triangle_of(const float* points, const int* corners) {
    Vector p[3];
    for (int i = 0; i < 3; ++i) p[i] = vector_of(points + 3ll * corners[i]);
    Triangle t;
    for (int i = 0; i < 3; ++i) t.normals[i] = cross(p[(i + 1) % 3], p[(i + 2) % 3]);
    t.volume = dot(t.normals[0], p[0]);
    const double side = t.volume < 0 ? -1.0 : 1.0;
    t.volume *= side;
    for (int i = 0; i < 3; ++i) {
        Vector& n = t.normals[i];
        n = {side * n.x, side * n.y, side * n.z};
        t.owns[i] = n.x > 0 || (n.x == 0 && n.y > 0);
    }
    return t;
}

INLINE double edge_at(const Vector& n, double dx, double dy) { return plus(times(n.x, dx), plus(times(n.y, dy), n.z)); }

INLINE int limited(double value, int low, int high) {
    return static_cast<int>(fmin(fmax(value, static_cast<double>(low)), static_cast<double>(high)));
}

struct Box {
    int left, top, wide, high;
};

// The pixels that a triangle may cover.
INLINE Box box_of(const float* points, const int* corners, const double* lens, const Scene& s) {
    double low[2] = {1e300, 1e300}, high[2] = {-1e300, -1e300};
    for (int i = 0; i < 3; ++i) {
        const float *a = points + 3ll * corners[i], *b = points + 3ll * corners[(i + 1) % 3];
        const bool before = a[2] >= s.near, passes = before != (b[2] >= s.near);
        const double part = passes ? (s.near - a[2]) / (static_cast<double>(b[2]) - a[2]) : 0.0;
        for (int axis = 0; axis < 2; ++axis) {
            const double at_near = a[axis] + part * (static_cast<double>(b[axis]) - a[axis]);
            const double first = lens[axis] * a[axis] / a[2] + lens[2 + axis];
            const double second = lens[axis] * at_near / s.near + lens[2 + axis];
            if (before) low[axis] = fmin(low[axis], first), high[axis] = fmax(high[axis], first);
            if (passes) low[axis] = fmin(low[axis], second), high[axis] = fmax(high[axis], second);
        }
    }
    if (!(low[0] <= high[0])) return {0, 0, 0, 0};
    const int left = limited(ceil(low[0] - 0.5 - kSlack), 0, s.width), right = limited(floor(high[0] - 0.5 + kSlack), -1, s.width - 1);
    const int top = limited(ceil(low[1] - 0.5 - kSlack), 0, s.height), bottom = limited(floor(high[1] - 0.5 + kSlack), -1, s.height - 1);
    return {left, top, max(0, right - left + 1), max(0, bottom - top + 1)};
}

// ---- which triangle a pixel shows ---------------------------------------------------------------------------------

// Keys (B, H, W) of 64 bits, all ones at first. Lenses (B, 4) double: fx, fy, cx, cy.
KERNEL draw_triangles(Scene s, const float* points, const int* faces, const double* lenses, Key* keys) {
    const long long one = this_thread() / kLanes;
    if (one >= s.views * s.faces) return;
    const long long view = one / s.faces, number = one % s.faces;
    const int* corners = faces + 3 * number;
    const float* of_view = points + 3 * view * s.vertices;
    const double* lens = lenses + 4 * view;
    const Box box = box_of(of_view, corners, lens, s);
    const long long pixels = static_cast<long long>(box.wide) * box.high;
    if (pixels == 0) return;
    const Triangle t = triangle_of(of_view, corners);
    if (!(t.volume > 0)) return;
    Key* picture = keys + view * s.height * s.width;
    for (long long k = this_thread() % kLanes; k < pixels; k += kLanes) {
        const int x = box.left + static_cast<int>(k % box.wide), y = box.top + static_cast<int>(k / box.wide);
        const double dx = across(lens, x), dy = down(lens, y);
        double e[3];
        bool inside = true;
        for (int i = 0; i < 3; ++i) {
            e[i] = edge_at(t.normals[i], dx, dy);
            inside = inside && (e[i] > 0 || (e[i] == 0 && t.owns[i]));
        }
        const double depth = t.volume / plus(plus(e[0], e[1]), e[2]);
        if (!inside || !(depth >= s.near)) continue;
        // Positive floats are ordered as their bits are.
        const Key key = (static_cast<Key>(__float_as_uint(static_cast<float>(depth))) << 32) | static_cast<Key>(number);
        atomicMin(picture + static_cast<long long>(y) * s.width + x, key);
    }
}

KERNEL resolve_pixels(Scene s, const float* points, const int* faces, const double* lenses, const Key* keys, int* triangles,
                      float* barycentrics, float* depths) {
    const long long pixel = this_thread(), per_view = static_cast<long long>(s.width) * s.height;
    if (pixel >= s.views * per_view) return;
    const Key key = keys[pixel];
    float* b = barycentrics + 3 * pixel;
    if (key == ~static_cast<Key>(0)) {
        triangles[pixel] = -1;
        b[0] = b[1] = b[2] = depths[pixel] = 0.0f;
        return;
    }
    const long long view = pixel / per_view, number = static_cast<long long>(key & 0xffffffffull);
    const int x = static_cast<int>(pixel % s.width), y = static_cast<int>(pixel / s.width % s.height);
    const Triangle t = triangle_of(points + 3 * view * s.vertices, faces + 3 * number);
    const double dx = across(lenses + 4 * view, x), dy = down(lenses + 4 * view, y);
    double e[3];
    for (int i = 0; i < 3; ++i) e[i] = edge_at(t.normals[i], dx, dy);
    const double sum = plus(plus(e[0], e[1]), e[2]);
    for (int i = 0; i < 3; ++i) b[i] = static_cast<float>(e[i] / sum);
    triangles[pixel] = static_cast<int>(number);
    depths[pixel] = __uint_as_float(static_cast<unsigned>(key >> 32));
}

// ---- derivatives by the points ------------------------------------------------------------------------------------

// Slopes (P, 3, 3) by the corners of the triangles that the pixels (P) int64 show.
KERNEL slopes_at_pixels(Scene s, long long count, const long long* pixels, const float* points, const int* faces,
                        const double* lenses, const int* triangles, const float* d_barycentrics, const float* d_depths,
                        float* slopes) {
    const long long sample = this_thread();
    if (sample >= count) return;
    const long long pixel = pixels[sample], view = pixel / (static_cast<long long>(s.width) * s.height);
    const int* corners = faces + 3ll * triangles[pixel];
    const double* lens = lenses + 4 * view;
    const Vector d{across(lens, static_cast<int>(pixel % s.width)), down(lens, static_cast<int>(pixel / s.width % s.height)), 1.0};
    Vector p[3];
    for (int i = 0; i < 3; ++i) p[i] = vector_of(points + 3 * (view * s.vertices + corners[i]));
    double e[3], g[3], all = 0, mean = 0;
    for (int i = 0; i < 3; ++i) all += e[i] = dot(cross(p[(i + 1) % 3], p[(i + 2) % 3]), d);
    const double of_depth = d_depths[pixel];
    for (int i = 0; i < 3; ++i) {
        g[i] = d_barycentrics[3 * pixel + i] + p[i].z * of_depth;
        mean += g[i] * (e[i] / all);
    }
    for (int i = 0; i < 3; ++i) {
        const int j = (i + 1) % 3, k = (i + 2) % 3;
        const double by_j = (g[j] - mean) / all, by_k = (g[k] - mean) / all;
        const Vector u = cross(d, p[k]), v = cross(p[j], d);
        float* to = slopes + 9 * sample + 3 * i;
        to[0] = static_cast<float>(by_j * u.x + by_k * v.x);
        to[1] = static_cast<float>(by_j * u.y + by_k * v.y);
        to[2] = static_cast<float>(by_j * u.z + by_k * v.z + e[i] / all * of_depth);
    }
}

// sums (K, C) of the slopes (N, C): row k gets those named by order[starts[k]] up to order[starts[k + 1]].
KERNEL add_slopes(long long rows, int channels, const long long* starts, const long long* order, const float* slopes,
                  float* sums) {
    const long long row = this_thread() / channels;
    if (row >= rows) return;
    const int c = static_cast<int>(this_thread() % channels);
    float sum = 0;
    for (long long j = starts[row]; j < starts[row + 1]; ++j) sum += slopes[order[j] * channels + c];
    sums[row * channels + c] = sum;
}

// The same with values (S, C) that three corners share: order names 3 s + corner, weighted by barycentrics (S, 3).
KERNEL add_weighted(long long rows, int channels, const long long* starts, const long long* order, const float* values,
                    const float* weights, float* sums) {
    const long long row = this_thread() / channels;
    if (row >= rows) return;
    const int c = static_cast<int>(this_thread() % channels);
    float sum = 0;
    for (long long j = starts[row]; j < starts[row + 1]; ++j)
        sum += weights[order[j]] * values[order[j] / 3 * channels + c];
    sums[row * channels + c] = sum;
}

// ---- attributes at the pixels ---------------------------------------------------------------------------------------

// values (S, C) at the pixels (S) int64; attributes (V, C), or (B, V, C) with `stride` = V C.
KERNEL interpolate(long long count, const long long* pixels, long long per_view, int channels, long long stride,
                   const float* attributes, const int* faces, const int* triangles, const float* barycentrics, float* values) {
    const long long sample = this_thread() / channels;
    if (sample >= count) return;
    const int c = static_cast<int>(this_thread() % channels);
    const long long pixel = pixels[sample];
    float sum = 0;
    if (triangles[pixel] >= 0) {
        const int* corners = faces + 3ll * triangles[pixel];
        const float *b = barycentrics + 3 * pixel, *a = attributes + pixel / per_view * stride + c;
        for (int i = 0; i < 3; ++i) sum += b[i] * a[static_cast<long long>(corners[i]) * channels];
    }
    values[sample * channels + c] = sum;
}

// The derivatives by the barycentrics (B, H, W, 3), only written where there is a triangle.
KERNEL slopes_by_barycentrics(long long count, const long long* pixels, long long per_view, int channels, long long stride,
                              const float* attributes, const int* faces, const int* triangles, const float* d_values,
                              float* d_barycentrics) {
    const long long sample = this_thread() / 3;
    if (sample >= count) return;
    const int corner = static_cast<int>(this_thread() % 3);
    const long long pixel = pixels[sample];
    if (triangles[pixel] < 0) return;
    const float* a = attributes + pixel / per_view * stride + static_cast<long long>(faces[3ll * triangles[pixel] + corner]) * channels;
    float sum = 0;
    for (int c = 0; c < channels; ++c) sum += d_values[sample * channels + c] * a[c];
    d_barycentrics[3 * pixel + corner] = sum;
}
