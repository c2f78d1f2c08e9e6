// The largest alpha_i - c_i of each column of a cost matrix, on a CPU, in one pass over the costs.
//
// Where entries of each column are known that were among its largest a moment ago, the least of them, with alpha as it
// is now, bounds from below what is looked for: hardly more than `count` numbers of a column pass the comparison, and
// the pass takes little more than to read the costs. Ties go to the lower row, so the same bits come with any number of
// threads. Plain C entry points, called through ctypes; arrays are contiguous and owned by the caller.

#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>
#include <vector>

#if defined(_WIN32)
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(__linux__)
#define CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define CLONES
#endif

namespace {

constexpr int kBlock = 32;

struct Entry {
    double value;
    int64_t row;
};

bool above(const Entry& x, const Entry& y) { return x.value > y.value || (x.value == y.value && x.row < y.row); }

// How many of a block are `bound` or more.
CLONES int64_t passing(const double* alpha, const double* costs, double bound) {
    int64_t found = 0;
    for (int i = 0; i < kBlock; ++i) found += alpha[i] - costs[i] >= bound;
    return found;
}

void keep(std::vector<Entry>& entries, int64_t count) {
    std::nth_element(entries.begin(), entries.begin() + (count - 1), entries.end(), above);
    entries.resize(count);
}

// Among the entries of a column that are `bound` or more: all, or those of them that can be among the `count` largest.
void search(const double* alpha, const double* c, int64_t rows, double bound, int64_t count,
            std::vector<Entry>& entries) {
    entries.clear();
    for (int64_t begin = 0; begin < rows; begin += kBlock) {
        const int64_t end = std::min(rows, begin + kBlock);
        if (end - begin == kBlock && !passing(alpha + begin, c + begin, bound)) continue;
        for (int64_t i = begin; i < end; ++i)
            if (alpha[i] - c[i] >= bound) entries.push_back({alpha[i] - c[i], i});
        if (static_cast<int64_t>(entries.size()) >= 4 * count + kBlock) {
            keep(entries, count);
            bound = entries.front().value;
            for (const Entry& entry : entries) bound = std::min(bound, entry.value);
        }
    }
}

}  // namespace

extern "C" {

// costs (columns, rows), alpha (rows) -> values and places (columns, count), downwards. `known` (columns, width) are
// rows that are thought to be large, with width >= count; or width is 0. Rows that compare with nothing
// (NaN) come last, as minus infinity.
EXPORT int transport_largest(int64_t columns, const double* costs, int64_t rows, const double* alpha, int64_t count,
                             const int64_t* known, int64_t width, double* values, int64_t* places, int threads) {
    const double lowest = -std::numeric_limits<double>::infinity();
#pragma omp parallel num_threads(threads)
    {
        std::vector<Entry> entries;
        std::vector<double> old(width);
        entries.reserve(5 * count + kBlock);
#pragma omp for schedule(static)
        for (int64_t j = 0; j < columns; ++j) {
            const double* c = costs + j * rows;
            double bound = lowest;
            if (width >= count) {
                bool numbers = true;
                for (int64_t l = 0; l < width; ++l) {
                    const int64_t i = known[j * width + l];
                    old[l] = alpha[i] - c[i];
                    numbers = numbers && old[l] == old[l];
                }
                if (numbers) {  // what is not a number cannot be sorted
                    std::nth_element(old.begin(), old.begin() + (count - 1), old.end(), std::greater<double>());
                    bound = old[count - 1];
                }
            }
            search(alpha, c, rows, bound, count, entries);
            if (static_cast<int64_t>(entries.size()) < count && bound != lowest)  // a known row stood there twice
                search(alpha, c, rows, lowest, count, entries);
            if (static_cast<int64_t>(entries.size()) > count) keep(entries, count);
            std::sort(entries.begin(), entries.end(), above);
            for (int64_t l = static_cast<int64_t>(entries.size()); l < count; ++l) entries.push_back({lowest, l});
            for (int64_t l = 0; l < count; ++l) {
                values[j * count + l] = entries[l].value;
                places[j * count + l] = entries[l].row;
            }
        }
    }
    return 0;
}

}  // extern "C"
