// Rasterising triangle meshes on a CPU, and what a picture's derivative needs.
//
// The ray through a pixel's centre is d = ((x + 1/2 - cx) / fx, (y + 1/2 - cy) / fy, 1) in the camera's frame. With the
// vertices p_0, p_1, p_2 of a triangle, D = det(p_0, p_1, p_2) and the edge functions e_i(d) = d . (p_j x p_k),
//
//     d = sum_i (e_i / D) p_i,   depth z = D / sum_i e_i,   barycentrics b_i = e_i / sum_i e_i
//
// (homogeneous rasterisation, Olano and Greer 1997): the triangle is hit in front of the camera where all e_i have the
// sign of D. No vertex is ever divided by its depth, so a triangle that passes beside or behind the camera needs no
// clipping: each pixel compares its own depth with the near plane. Coordinates are float32, so in double their products
// are exact and the normals p_j x p_k of two triangles at a common edge are exact negatives; on an edge (e_i = 0) the
// triangle owns the pixel that would own it if d were moved by (eps, eps^2). So no pixel is drawn twice or missed there.
// That needs plain IEEE rounding: this file is compiled without -ffast-math and without contraction.
//
// No atomics: bands of rows are drawn each by one thread, triangles in the order of their numbers, of equal depths the
// first counts; sums are made in an order that depends on the picture alone. The result is the same, bit for bit, with any
// number of threads.
//
// Plain C entry points, called through ctypes. Arrays are contiguous and owned by the caller; float32 if not said otherwise.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

namespace {

constexpr int kBand = 16;        // rows
constexpr int kChunk = 2048;     // faces that are put into bands at once
constexpr int kSlabs = 4;        // of a picture, each with sums of its own
constexpr int kLine = 16;        // floats in a line of the cache
constexpr int kGrain = 4096;     // triangles, or samples, for which another thread is worth its start
constexpr int kNarrow = 12;      // pixels: a wider box is narrowed in each row
constexpr double kSlack = 1e-6;  // pixels, for what rounding does to a box

struct Vector {
    double x, y, z;
};

inline Vector vector_of(const float* p) { return {p[0], p[1], p[2]}; }
inline Vector cross(const Vector& u, const Vector& v) {
    return {u.y * v.z - u.z * v.y, u.z * v.x - u.x * v.z, u.x * v.y - u.y * v.x};
}
inline double dot(const Vector& u, const Vector& v) { return u.x * v.x + u.y * v.y + u.z * v.z; }

struct Lens {
    double fx, fy, cx, cy;
    double across(int column) const { return (column + 0.5 - cx) / fx; }
    double down(int row) const { return (row + 0.5 - cy) / fy; }
};

inline Lens lens_of(const double* intrinsics, int64_t view) {
    const double* k = intrinsics + 4 * view;
    return {k[0], k[1], k[2], k[3]};
}

// Edge functions, turned so that they are positive inside.
struct Triangle {
    Vector normals[3];
    double volume;  // |D|; 0: nothing to be seen
    bool owns[3];   // whether e_i = 0 counts as inside
};

inline Triangle triangle_of(const float* points, const int32_t* corners) {
    Vector p[3];
    for (int i = 0; i < 3; ++i) p[i] = vector_of(points + 3 * static_cast<int64_t>(corners[i]));
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

// Where other programs keep the processors busy, each further thread is waited for: little work gets few.
inline int threads_for(int64_t work, int threads) {
    return static_cast<int>(std::max<int64_t>(1, std::min<int64_t>(threads, work / kGrain)));
}

struct Box {
    int32_t left, right, top, bottom;  // the last ones count; left > right: nothing
};

struct Projected {
    double x, y;
};

// Rounded up or down; with a baseline of instructions these are quicker than the library's.
inline int ceiling(double value, int most) {
    const double limited = std::min(std::max(value, -1.0), static_cast<double>(most));
    const int whole = static_cast<int>(limited);
    return whole + (limited > whole);
}
inline int flooring(double value, int most) {
    const double limited = std::min(std::max(value, -1.0), static_cast<double>(most));
    const int whole = static_cast<int>(limited);
    return whole - (limited < whole);
}

// The pixels that a triangle may cover.
inline Box box_of(const float* points, const Projected* projected, const int32_t* corners, const Lens& lens, double near,
                  int width, int height) {
    double low_x = std::numeric_limits<double>::infinity(), high_x = -low_x, low_y = low_x, high_y = -low_x;
    bool visible[3];
    for (int i = 0; i < 3; ++i) visible[i] = points[3 * static_cast<int64_t>(corners[i]) + 2] >= near;
    const auto take = [&](double x, double y) {
        low_x = std::min(low_x, x);
        high_x = std::max(high_x, x);
        low_y = std::min(low_y, y);
        high_y = std::max(high_y, y);
    };
    for (int i = 0; i < 3; ++i) {
        if (visible[i]) take(projected[corners[i]].x, projected[corners[i]].y);
        if (visible[i] != visible[(i + 1) % 3]) {  // where the edge passes the near plane
            const float *pa = points + 3 * static_cast<int64_t>(corners[i]),
                        *pb = points + 3 * static_cast<int64_t>(corners[(i + 1) % 3]);
            const double part = (near - pa[2]) / (static_cast<double>(pb[2]) - pa[2]);
            const double x = pa[0] + part * (static_cast<double>(pb[0]) - pa[0]);
            const double y = pa[1] + part * (static_cast<double>(pb[1]) - pa[1]);
            take(lens.fx * x / near + lens.cx, lens.fy * y / near + lens.cy);
        }
    }
    if (!(low_x <= high_x)) return {0, -1, 0, -1};
    Box box{ceiling(low_x - 0.5 - kSlack, width), flooring(high_x - 0.5 + kSlack, width - 1),
            ceiling(low_y - 0.5 - kSlack, height), flooring(high_y - 0.5 + kSlack, height - 1)};
    box.left = std::max(box.left, 0);
    box.top = std::max(box.top, 0);
    if (box.top > box.bottom) box.right = box.left - 1;
    return box;
}

struct Picture {
    const float* points;     // (V, 3) of one view
    const int32_t* faces;    // (F, 3)
    Lens lens;
    double near;
    int width, height;
    const double *across, *down;  // (W), (H) the rays' coordinates
    int32_t* triangles;      // (H, W)
    float* barycentrics;     // (H, W, 3)
    float* depths;           // (H, W)
};

// The triangle's part of one row: nearer depths and its number.
inline void draw_row(const Triangle& t, double down, int left, int right, const Picture& p, int32_t number, int32_t* ids,
                     float* nearest) {
    double c[3], a[3];
    for (int i = 0; i < 3; ++i) {
        a[i] = t.normals[i].x;
        c[i] = t.normals[i].y * down + t.normals[i].z;
    }
    if (right - left > kNarrow) {
        for (int i = 0; i < 3; ++i) {
            if (a[i] == 0) continue;
            const double zero = -c[i] / a[i] * p.lens.fx + p.lens.cx - 0.5;
            if (a[i] > 0)
                left = std::max(left, flooring(zero - 1.0, p.width));
            else
                right = std::min(right, ceiling(zero + 1.0, p.width));
        }
    }
    for (int x = left; x <= right; ++x) {
        const double d = p.across[x];
        const double e0 = a[0] * d + c[0], e1 = a[1] * d + c[1], e2 = a[2] * d + c[2];
        if ((e0 < 0) | (e1 < 0) | (e2 < 0)) continue;
        if ((e0 == 0) | (e1 == 0) | (e2 == 0)) {
            if ((e0 == 0 && !t.owns[0]) || (e1 == 0 && !t.owns[1]) || (e2 == 0 && !t.owns[2])) continue;
        }
        const double depth = t.volume / (e0 + e1 + e2);
        const float z = static_cast<float>(depth);
        if (depth >= p.near && z < nearest[x]) {
            nearest[x] = z;
            ids[x] = number;
        }
    }
}

void draw_band(const Picture& p, int band, const int32_t* list, int64_t count, const Box* boxes) {
    const int first = band * kBand, past = std::min(p.height, first + kBand), width = p.width;
    int32_t* ids = p.triangles + static_cast<int64_t>(first) * width;
    float* nearest = p.depths + static_cast<int64_t>(first) * width;
    const int64_t pixels = static_cast<int64_t>(past - first) * width;
    std::fill(ids, ids + pixels, -1);
    std::fill(nearest, nearest + pixels, std::numeric_limits<float>::infinity());
    for (int64_t k = 0; k < count; ++k) {
        const int32_t number = list[k];
        const Box& box = boxes[number];
        const Triangle t = triangle_of(p.points, p.faces + 3 * static_cast<int64_t>(number));
        if (!(t.volume > 0)) continue;
        for (int y = std::max(first, box.top); y <= std::min(past - 1, box.bottom); ++y) {
            const int64_t row = static_cast<int64_t>(y - first) * width;
            draw_row(t, p.down[y], box.left, box.right, p, number, ids + row, nearest + row);
        }
    }
    int32_t known = -1;
    Triangle t{};
    for (int y = first; y < past; ++y) {
        const double down = p.down[y];
        for (int x = 0; x < width; ++x) {
            const int64_t pixel = static_cast<int64_t>(y) * width + x;
            float* b = p.barycentrics + 3 * pixel;
            const int32_t number = p.triangles[pixel];
            if (number < 0) {
                b[0] = b[1] = b[2] = p.depths[pixel] = 0.0f;
                continue;
            }
            if (number != known) t = triangle_of(p.points, p.faces + 3 * static_cast<int64_t>(known = number));
            double e[3];
            for (int i = 0; i < 3; ++i) e[i] = t.normals[i].x * p.across[x] + (t.normals[i].y * down + t.normals[i].z);
            const double sum = e[0] + e[1] + e[2];
            for (int i = 0; i < 3; ++i) b[i] = static_cast<float>(e[i] / sum);
        }
    }
}

struct Samples {
    int64_t count;              // S
    const int64_t* pixels;      // (S) which pixels of the pictures, or null: all of them in turn
    int64_t per_view;           // pixels of one picture
    const int32_t* faces;       // (F, 3)
    const int32_t* triangles;   // (B, H, W)
    const float* barycentrics;  // (B, H, W, 3)
    int64_t pixel(int64_t sample) const { return pixels ? pixels[sample] : sample; }
};

}  // namespace

#if defined(_WIN32)
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

extern "C" {

// Triangles (B, H, W) int32, -1 where there is none, barycentrics (B, H, W, 3) and depths (B, H, W), 0 there; of points
// (B, V, 3), faces (F, 3) int32 and intrinsics (B, 4) double: fx, fy, cx, cy. 1: a face names no vertex; 2: a coordinate
// is not finite.
EXPORT int mesh_rasterise(int64_t views, int vertices, int count, const float* points, const int32_t* faces,
                          const double* intrinsics, int width, int height, double near, int32_t* triangles,
                          float* barycentrics, float* depths, int threads) {
    // Getting ready is a quarter of the work.
    const int preparing = threads_for(views * count / 16, threads);
    int wrong = 0;
#pragma omp parallel for schedule(static) num_threads(preparing) reduction(| : wrong)
    for (int64_t i = 0; i < 3 * static_cast<int64_t>(count); ++i) wrong |= faces[i] < 0 || faces[i] >= vertices;
    if (wrong) return 1;

    std::vector<Projected> projected(views * vertices);
#pragma omp parallel for schedule(static) num_threads(preparing) reduction(| : wrong)
    for (int64_t i = 0; i < views * vertices; ++i) {
        const float* p = points + 3 * i;
        const Lens lens = lens_of(intrinsics, i / vertices);
        projected[i] = {lens.fx * p[0] / p[2] + lens.cx, lens.fy * p[1] / p[2] + lens.cy};
        wrong |= !(std::isfinite(p[0]) && std::isfinite(p[1]) && std::isfinite(p[2]));
    }
    if (wrong) return 2;

    const int64_t chunks = (count + kChunk - 1) / kChunk, bands = (height + kBand - 1) / kBand;
    std::vector<Box> boxes(views * count);
    std::vector<int64_t> places(views * bands * chunks + 1, 0);  // first numbers of triangles, then where they go
#pragma omp parallel for schedule(dynamic, 1) num_threads(preparing)
    for (int64_t job = 0; job < views * chunks; ++job) {
        const int64_t view = job / chunks, chunk = job % chunks;
        const Lens lens = lens_of(intrinsics, view);
        for (int64_t f = chunk * kChunk; f < std::min<int64_t>(count, (chunk + 1) * kChunk); ++f) {
            const Box box = box_of(points + 3 * view * vertices, projected.data() + view * vertices, faces + 3 * f, lens, near,
                                   width, height);
            boxes[view * count + f] = box;
            if (box.left > box.right) continue;
            for (int band = box.top / kBand; band <= box.bottom / kBand; ++band)
                ++places[(view * bands + band) * chunks + chunk];
        }
    }
    int64_t total = 0;
    for (int64_t& place : places) {
        const int64_t number = place;
        place = total;
        total += number;
    }
    std::vector<int64_t> starts(views * bands + 1);
    for (int64_t i = 0; i <= views * bands; ++i) starts[i] = i < views * bands && chunks ? places[i * chunks] : total;
    std::vector<int32_t> lists(total);
#pragma omp parallel for schedule(dynamic, 1) num_threads(preparing)
    for (int64_t job = 0; job < views * chunks; ++job) {
        const int64_t view = job / chunks, chunk = job % chunks;
        for (int64_t f = chunk * kChunk; f < std::min<int64_t>(count, (chunk + 1) * kChunk); ++f) {
            const Box& box = boxes[view * count + f];
            if (box.left > box.right) continue;
            for (int band = box.top / kBand; band <= box.bottom / kBand; ++band)
                lists[places[(view * bands + band) * chunks + chunk]++] = static_cast<int32_t>(f);
        }
    }

    std::vector<double> across(views * width), down(views * height);
    for (int64_t view = 0; view < views; ++view) {
        const Lens lens = lens_of(intrinsics, view);
        for (int x = 0; x < width; ++x) across[view * width + x] = lens.across(x);
        for (int y = 0; y < height; ++y) down[view * height + y] = lens.down(y);
    }
    const int drawing = threads_for(total, threads);
#pragma omp parallel for schedule(dynamic, 1) num_threads(drawing)
    for (int64_t job = 0; job < views * bands; ++job) {
        const int64_t view = job / bands, pixels = view * width * height;
        const Picture picture{points + 3 * view * vertices, faces, lens_of(intrinsics, view), near, width, height,
                              across.data() + view * width, down.data() + view * height, triangles + pixels,
                              barycentrics + 3 * pixels, depths + pixels};
        draw_band(picture, static_cast<int>(job % bands), lists.data() + starts[job], starts[job + 1] - starts[job],
                  boxes.data() + view * count);
    }
    return 0;
}

// The derivative by the points, given those by barycentrics and depths. With h_i = (g_i - sum_k g_k b_k) / sum_k e_k,
// g_i = adjoint of b_i + z_i adjoint of z:  dL/dp_i = h_k (p_j x d) + h_j (d x p_k) + b_i (adjoint of z) (0, 0, 1).
EXPORT void mesh_rasterise_backward(int64_t views, int vertices, const float* points, const int32_t* faces,
                                    const double* intrinsics, int width, int height, const int32_t* triangles,
                                    const float* d_barycentrics, const float* d_depths, float* d_points, int threads) {
    const int64_t numbers = 3 * static_cast<int64_t>(vertices);
    std::vector<double> sums(kSlabs * numbers);
    const int shared = threads_for(static_cast<int64_t>(width) * height / 4, threads);
    for (int64_t view = 0; view < views; ++view) {
        const Lens lens = lens_of(intrinsics, view);
        const float* of_view = points + view * numbers;
#pragma omp parallel for schedule(static, 1) num_threads(shared)
        for (int slab = 0; slab < kSlabs; ++slab) {
            double* sum = sums.data() + slab * numbers;
            std::fill(sum, sum + numbers, 0.0);
            const int64_t first = static_cast<int64_t>(height) * slab / kSlabs, past = static_cast<int64_t>(height) * (slab + 1) / kSlabs;
            for (int64_t y = first; y < past; ++y) {
                for (int x = 0; x < width; ++x) {
                    const int64_t pixel = (view * height + y) * width + x;
                    if (triangles[pixel] < 0) continue;
                    const int32_t* corners = faces + 3 * static_cast<int64_t>(triangles[pixel]);
                    const Vector d{lens.across(x), lens.down(static_cast<int>(y)), 1.0};
                    Vector p[3], n[3];
                    for (int i = 0; i < 3; ++i) p[i] = vector_of(of_view + 3 * static_cast<int64_t>(corners[i]));
                    double e[3], all = 0, g[3], mean = 0;
                    for (int i = 0; i < 3; ++i) {
                        n[i] = cross(p[(i + 1) % 3], p[(i + 2) % 3]);
                        e[i] = dot(n[i], d);
                        all += e[i];
                    }
                    const double of_depth = d_depths[pixel];
                    for (int i = 0; i < 3; ++i) {
                        g[i] = d_barycentrics[3 * pixel + i] + p[i].z * of_depth;
                        mean += g[i] * (e[i] / all);
                    }
                    for (int i = 0; i < 3; ++i) {
                        const int j = (i + 1) % 3, k = (i + 2) % 3;
                        const double by_j = (g[j] - mean) / all, by_k = (g[k] - mean) / all;
                        const Vector u = cross(d, p[k]), v = cross(p[j], d);
                        double* to = sum + 3 * static_cast<int64_t>(corners[i]);
                        // e_j = d . (p_k x p_i) = p_i . (d x p_k),  e_k = d . (p_i x p_j) = p_i . (p_j x d)
                        to[0] += by_j * u.x + by_k * v.x;
                        to[1] += by_j * u.y + by_k * v.y;
                        to[2] += by_j * u.z + by_k * v.z + e[i] / all * of_depth;
                    }
                }
            }
        }
#pragma omp parallel for schedule(static) num_threads(shared)
        for (int64_t i = 0; i < numbers; ++i) {
            double sum = 0;
            for (int slab = 0; slab < kSlabs; ++slab) sum += sums[slab * numbers + i];
            d_points[view * numbers + i] = static_cast<float>(sum);
        }
    }
}

// values (S, C) = sum_i b_i attributes[corner i], 0 where there is no triangle. Attributes are (V, C), or (B, V, C) with
// `stride` = V C.
EXPORT void mesh_interpolate(int64_t count, const int64_t* pixels, int64_t per_view, int channels, int64_t stride,
                             const float* attributes, const int32_t* faces, const int32_t* triangles,
                             const float* barycentrics, float* values, int threads) {
    const Samples s{count, pixels, per_view, faces, triangles, barycentrics};
    threads = threads_for(count * channels / 16, threads);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int64_t i = 0; i < count; ++i) {
        const int64_t pixel = s.pixel(i);
        float* to = values + i * channels;
        if (triangles[pixel] < 0) {
            std::memset(to, 0, sizeof(float) * channels);
            continue;
        }
        const int32_t* corners = faces + 3 * static_cast<int64_t>(triangles[pixel]);
        const float *b = barycentrics + 3 * pixel, *of_view = attributes + pixel / per_view * stride;
        const float *u = of_view + static_cast<int64_t>(corners[0]) * channels,
                    *v = of_view + static_cast<int64_t>(corners[1]) * channels,
                    *w = of_view + static_cast<int64_t>(corners[2]) * channels;
        for (int c = 0; c < channels; ++c) to[c] = b[0] * u[c] + b[1] * v[c] + b[2] * w[c];
    }
}

// The derivatives by the barycentrics (B, H, W, 3), only written where there is a triangle, and by the attributes, added
// to what is there; each is left out if null.
EXPORT void mesh_interpolate_backward(int64_t count, const int64_t* pixels, int64_t per_view, int channels, int64_t stride,
                                      const float* attributes, const int32_t* faces, const int32_t* triangles,
                                      const float* barycentrics, const float* d_values, float* d_barycentrics,
                                      float* d_attributes, int threads) {
    const Samples s{count, pixels, per_view, faces, triangles, barycentrics};
    threads = threads_for(count * channels / 16, threads);
    if (d_barycentrics) {
#pragma omp parallel for schedule(static) num_threads(threads)
        for (int64_t i = 0; i < count; ++i) {
            const int64_t pixel = s.pixel(i);
            if (triangles[pixel] < 0) continue;
            const float *of_view = attributes + pixel / per_view * stride, *g = d_values + i * channels;
            for (int corner = 0; corner < 3; ++corner) {
                const float* a = of_view + static_cast<int64_t>(faces[3 * static_cast<int64_t>(triangles[pixel]) + corner]) * channels;
                float lanes[4] = {};
                int c = 0;
                for (; c + 4 <= channels; c += 4)
                    for (int lane = 0; lane < 4; ++lane) lanes[lane] += g[c + lane] * a[c + lane];
                for (; c < channels; ++c) lanes[0] += g[c] * a[c];
                d_barycentrics[3 * pixel + corner] = (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]);
            }
        }
    }
    if (d_attributes) {
        // Each thread has channels of its own and goes through all samples in turn.
        const int lines = (channels + kLine - 1) / kLine, blocks = std::min(std::max(threads, 1), lines);
#pragma omp parallel for schedule(static, 1) num_threads(threads)
        for (int block = 0; block < blocks; ++block) {
            const int first = lines * block / blocks * kLine, past = std::min(channels, lines * (block + 1) / blocks * kLine);
            for (int64_t i = 0; i < count; ++i) {
                const int64_t pixel = s.pixel(i);
                if (triangles[pixel] < 0) continue;
                const int32_t* corners = faces + 3 * static_cast<int64_t>(triangles[pixel]);
                float* of_view = d_attributes + pixel / per_view * stride;
                const float* g = d_values + i * channels;
                for (int corner = 0; corner < 3; ++corner) {
                    const float b = barycentrics[3 * pixel + corner];
                    float* to = of_view + static_cast<int64_t>(corners[corner]) * channels;
                    for (int c = first; c < past; ++c) to[c] += b * g[c];
                }
            }
        }
    }
}

}  // extern "C"
