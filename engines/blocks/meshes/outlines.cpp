// Where silhouettes of meshes part neighbouring pixels; antialiasing.py says what is made of it, and does the same in torch.
//
// An edge is a silhouette in a view if all its faces lie on one side of the plane through it and the eye. It is followed
// through the rows (the columns, if it is flat in the picture) that it crosses. Of several that cross between two pixels'
// centres the nearest counts. One thread works on a view: the order in which crossings are found is always the same.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace {

struct Point {
    double at[3];
};

inline Point point_of(const float* p) { return {{p[0], p[1], p[2]}}; }

// The part before the near plane of an edge, from whose end p this is.
inline Point clipped(const Point& p, const Point& other, double near) {
    if (p.at[2] >= near) return p;
    const double part = (near - p.at[2]) / (other.at[2] - p.at[2]);
    Point result = p;
    for (int i = 0; i < 3; ++i) result.at[i] += part * (other.at[i] - p.at[i]);
    return result;
}

struct Crossing {
    int64_t a, b, line, first, second;
    float depth;
    bool surface_first;
};

struct View {
    const float* points;  // (V, 3)
    const double* lens;   // fx, fy, cx, cy
    int width, height;
    double near;
    const int32_t* triangles;  // (H, W)
    const float* depths;       // (H, W)
    double behind(int64_t pixel) const { return triangles[pixel] < 0 ? INFINITY : depths[pixel]; }
};

// Which sides of each edge have a face: 1, 2, or 3 for both. A face without an area has none.
void sides_of_edges(const View& v, const int32_t* faces, int64_t count, const int64_t* of_faces, const bool* forward,
                    std::vector<uint8_t>& sides) {
    for (int64_t f = 0; f < count; ++f) {
        const float *p = v.points + 3 * static_cast<int64_t>(faces[3 * f]), *q = v.points + 3 * static_cast<int64_t>(faces[3 * f + 1]),
                    *r = v.points + 3 * static_cast<int64_t>(faces[3 * f + 2]);
        const float ux = q[0] - p[0], uy = q[1] - p[1], uz = q[2] - p[2], vx = r[0] - p[0], vy = r[1] - p[1], vz = r[2] - p[2];
        const float facing = p[0] * (uy * vz - uz * vy) + p[1] * (uz * vx - ux * vz) + p[2] * (ux * vy - uy * vx);
        if (facing == 0) continue;
        for (int i = 0; i < 3; ++i) sides[of_faces[3 * f + i]] |= (facing > 0) == forward[3 * f + i] ? 1 : 2;
    }
}

// Follows one silhouette edge; best (H, W) holds the number of the crossing that was found after a pixel, or -1.
void follow(const View& v, int64_t a, int64_t b, bool left, std::vector<int32_t> best[2], std::vector<Crossing> found[2]) {
    const Point p = point_of(v.points + 3 * a), q = point_of(v.points + 3 * b);
    if (p.at[2] < v.near && q.at[2] < v.near) return;
    double ends[2][2];
    const Point seen[2] = {clipped(p, q, v.near), clipped(q, p, v.near)};
    for (int end = 0; end < 2; ++end)
        for (int axis = 0; axis < 2; ++axis)
            ends[end][axis] = seen[end].at[axis] / std::max(seen[end].at[2], v.near) * v.lens[axis] + v.lens[2 + axis];
    const int along = std::fabs(ends[1][1] - ends[0][1]) >= std::fabs(ends[1][0] - ends[0][0]) ? 0 : 1, across = 1 - along;
    const int size[2] = {v.width, v.height};
    const auto line_after = [&](double place) {
        return static_cast<int>(std::min(std::max(std::ceil(place - 0.5), 0.0), static_cast<double>(size[across])));
    };
    const int first = line_after(std::min(ends[0][across], ends[1][across]));
    const int past = line_after(std::max(ends[0][across], ends[1][across]));
    // The component along the line of p x q, whose sign says to which side the surface lies.
    const double normal = along == 0 ? p.at[1] * q.at[2] - p.at[2] * q.at[1] : p.at[2] * q.at[0] - p.at[0] * q.at[2];
    const bool surface_first = left ? normal < 0 : normal > 0;
    const int64_t step = along == 0 ? 1 : v.width;
    for (int line = first; line < past; ++line) {
        const double slope = (line + 0.5 - v.lens[2 + across]) / v.lens[across];
        const double off_p = p.at[across] - slope * p.at[2], off_q = q.at[across] - slope * q.at[2];
        const double part = off_p / (off_p - off_q), depth = p.at[2] + part * (q.at[2] - p.at[2]);
        const double place = v.lens[along] * (p.at[along] + part * (q.at[along] - p.at[along])) / depth + v.lens[2 + along];
        const double column = std::floor(place - 0.5);
        if (!(column >= 0 && column < size[along] - 1)) continue;
        const int64_t pixel = static_cast<int64_t>(line) * (along == 0 ? v.width : 1) + static_cast<int64_t>(column) * step;
        const int64_t front = surface_first ? pixel : pixel + step, back = surface_first ? pixel + step : pixel;
        const double behind = v.behind(back);
        if (v.triangles[front] == v.triangles[back] || !(v.behind(front) < behind) || !(depth < behind)) continue;
        const Crossing crossing{a, b, line, pixel, pixel + step, static_cast<float>(depth), surface_first};
        int32_t& known = best[along][pixel];
        if (known < 0) {
            known = static_cast<int32_t>(found[along].size());
            found[along].push_back(crossing);
        } else if (crossing.depth < found[along][known].depth) {
            found[along][known] = crossing;
        }
    }
}

}  // namespace

#if defined(_WIN32)
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

extern "C" {

// Crossings of rows, and then of columns, (N, 7) int64: view, the edge's ends, line, both pixels, numbered through all
// pictures, and whether the first shows the surface. ends (E, 2), of_faces (F, 3) int64 and forward (F, 3) bool are those
// of antialiasing.Edges. Only the first `room` are written; counts: how many are of rows and of columns.
EXPORT void mesh_crossings(int64_t views, int vertices, int count, int edges, const float* points, const int32_t* faces,
                           const int64_t* ends, const int64_t* of_faces, const bool* forward, const double* lenses, int width,
                           int height, double near, const int32_t* triangles, const float* depths, int64_t room,
                           int64_t* crossings, int64_t* counts, int threads) {
    const int64_t pixels = static_cast<int64_t>(width) * height;
    std::vector<std::vector<Crossing>> found(2 * views);
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
    for (int64_t view = 0; view < views; ++view) {
        const View v{points + 3 * view * vertices, lenses + 4 * view, width, height, near, triangles + view * pixels,
                     depths + view * pixels};
        std::vector<uint8_t> sides(edges, 0);
        sides_of_edges(v, faces, count, of_faces, forward, sides);
        std::vector<int32_t> best[2] = {std::vector<int32_t>(pixels, -1), std::vector<int32_t>(pixels, -1)};
        std::vector<Crossing> of_view[2];
        for (int64_t e = 0; e < edges; ++e)
            if (sides[e] == 1 || sides[e] == 2) follow(v, ends[2 * e], ends[2 * e + 1], sides[e] == 1, best, of_view);
        for (int along = 0; along < 2; ++along) found[along * views + view] = std::move(of_view[along]);
    }
    int64_t total = 0;
    counts[0] = counts[1] = 0;
    for (int64_t i = 0; i < 2 * views; ++i) {
        counts[i / views] += static_cast<int64_t>(found[i].size());
        for (const Crossing& c : found[i]) {
            if (total == room) break;
            const int64_t view = i % views, start = view * pixels;
            const int64_t row[7] = {view, c.a, c.b, c.line, start + c.first, start + c.second, c.surface_first};
            std::copy(row, row + 7, crossings + 7 * total++);
        }
    }
}

}  // extern "C"
