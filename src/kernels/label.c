/* Connected components of a bit mask, by runs.
 *
 * One scan: every run of a row joins the components that it touches in the row above, and a component that the row did
 * not touch is complete, so its moments are weighed and let go. What is kept for a whole plane is one 32-bit word a
 * run, first the link to another run of its component, at the end its weight. Bands of rows are scanned in parallel;
 * their components that touch a border between bands stay open until all borders have been joined. Sums are exact
 * integers, hence the bands leave no trace in the result. */
#include <planefs/kernels/label.h>

#include "kernels/parallel.h"

/* A node is the index of an earlier run of the component, or for the component's first run OPEN | slot while it grows,
 * DONE | bits of the weight afterwards. Weights up to 1 leave the two topmost bits of a float clear. */
#define DONE 0x80000000u
#define OPEN 0xc0000000u
#define PAYLOAD 0x3fffffffu

struct slot {                               /* a component that may still grow */
    struct pfs_moments m;
    int64_t top, bottom;                    /* its first and last row so far */
    uint32_t next;                          /* free: the next free slot; at the end: the slot it was joined to */
};

struct run {
    int64_t begin, end;
    uint32_t id;
};

struct band {
    int64_t y0, y1, base;                   /* rows; number of its first slot */
    uint32_t used, free;                    /* slots ever used; head of the free ones, NONE */
    struct run *above, *here;
};

struct label {
    const struct pfs_runs *runs;
    int64_t h;
    float (*weigh)(const void *ctx, const struct pfs_moments *m);
    const void *ctx;
    union pfs_weight *node;
    struct slot *slot;
    struct band *band;
    int64_t bands;
};

enum { BAND_ROWS_MIN = 64 };
#define NONE UINT32_MAX

void pfs_moments_central(const struct pfs_moments *m, double *ret_yy, double *ret_xx, double *ret_xy)
{
    double n2 = (double)m->n * (double)m->n;
    *ret_yy = (double)(m->n * m->yy - (__int128)m->y * m->y) / n2;
    *ret_xx = (double)(m->n * m->xx - (__int128)m->x * m->x) / n2;
    *ret_xy = (double)(m->n * m->xy - (__int128)m->y * m->x) / n2;
}

/* Sum of squares 0 .. n-1. */
static __int128 squares(int64_t n)
{
    if (n < 1 << 20)
        return (n - 1) * n * (2 * n - 1) / 6;
    return (__int128)(n - 1) * n * (2 * n - 1) / 6;
}

static void add_run(struct slot *s, int64_t y, const struct run *r)
{
    int64_t n = r->end - r->begin;
    int64_t x = n * r->begin + n * (n - 1) / 2;
    s->m.n += n;
    s->m.y += n * y;
    s->m.x += x;
    s->m.yy += (__int128)y * (n * y);
    s->m.xy += (__int128)y * x;
    s->m.xx += (__int128)r->begin * (x + n * (n - 1) / 2) + squares(n);
    s->bottom = y;
}

static void add_moments(struct pfs_moments *to, const struct pfs_moments *m)
{
    to->n += m->n;
    to->y += m->y;
    to->x += m->x;
    to->yy += m->yy;
    to->xx += m->xx;
    to->xy += m->xy;
}

static uint32_t find(union pfs_weight *node, uint32_t i)
{
    while (!(node[i].node & DONE)) {
        uint32_t up = node[i].node;
        if (!(node[up].node & DONE))
            node[i].node = node[up].node;
        i = up;
    }
    return i;
}

static uint32_t slot_of(const struct label *l, uint32_t root)
{
    return l->node[root].node & PAYLOAD;
}

static uint32_t take_slot(struct label *l, struct band *b, int64_t y)
{
    uint32_t s = b->free;
    if (s != NONE)
        b->free = l->slot[s].next;
    else
        s = (uint32_t)b->base + b->used++;
    l->slot[s] = (struct slot){.top = y, .bottom = y, .next = NONE};
    return s;
}

static void free_slot(struct label *l, struct band *b, uint32_t s)
{
    l->slot[s].next = b->free;
    b->free = s;
}

/* Two components become one under the earlier run. */
static uint32_t join(struct label *l, struct band *b, uint32_t i, uint32_t k)
{
    uint32_t root = i < k ? i : k, other = i < k ? k : i;
    struct slot *to = &l->slot[slot_of(l, root)], *from = &l->slot[slot_of(l, other)];
    add_moments(&to->m, &from->m);
    to->top = to->top < from->top ? to->top : from->top;
    to->bottom = to->bottom > from->bottom ? to->bottom : from->bottom;
    free_slot(l, b, slot_of(l, other));
    l->node[other].node = root;
    return root;
}

static uint32_t weighed(const struct label *l, const struct pfs_moments *m)
{
    union pfs_weight weight = {.w = l->weigh(l->ctx, m)};
    return DONE | (weight.node & PAYLOAD);
}

/* Components of `runs`, which lie in row y - 1, are complete when row y left them alone, or the plane ends there. */
static void settle(struct label *l, struct band *b, struct run *runs, int64_t n, int64_t y)
{
    for (int64_t i = 0; i < n; i++) {
        uint32_t root = find(l->node, runs[i].id);
        if ((l->node[root].node & OPEN) != OPEN)
            continue;
        uint32_t s = slot_of(l, root);
        const struct slot *slot = &l->slot[s];
        if (slot->bottom == y || (slot->top == b->y0 && b->y0 > 0) || (slot->bottom == b->y1 - 1 && b->y1 < l->h))
            continue;
        l->node[root].node = weighed(l, &slot->m);
        free_slot(l, b, s);
    }
}

static int64_t read_runs(const struct label *l, int64_t y, struct run *runs)
{
    struct pfs_run_walk walk = pfs_run_walk(l->runs->bits.word + y * l->runs->bits.words, l->runs->bits.words, 0);
    int64_t n = 0;
    while (pfs_run_next(&walk, &runs[n].begin, &runs[n].end)) {
        runs[n].id = pfs_runs_first(l->runs, y) + (uint32_t)n;
        n++;
    }
    return n;
}

/* Give the runs of row y to components: those of the n_above runs above that they touch, or new ones. */
static void connect(struct label *l, struct band *b, int64_t y, int64_t n_above, int64_t n)
{
    struct run *above = b->above;
    int64_t i = 0;
    for (int64_t k = 0; k < n; k++) {
        struct run *run = &b->here[k];
        uint32_t root = NONE;
        while (i < n_above && above[i].end < run->begin)
            i++;
        for (int64_t j = i; j < n_above && above[j].begin <= run->end; j++) {
            uint32_t other = find(l->node, above[j].id);
            root = root == NONE || root == other ? other : join(l, b, root, other);
        }
        l->node[run->id].node = root == NONE ? OPEN | take_slot(l, b, y) : root;
        add_run(&l->slot[slot_of(l, root == NONE ? run->id : root)], y, run);
    }
}

static void scan_band(void *ctx, int64_t item, int thread)
{
    struct label *l = ctx;
    struct band *b = &l->band[item];
    int64_t n_above = 0;
    (void)thread;
    for (int64_t y = b->y0; y < b->y1; y++) {
        int64_t n = read_runs(l, y, b->here);
        connect(l, b, y, n_above, n);
        settle(l, b, b->above, n_above, y);
        struct run *swap = b->above;
        b->above = b->here;
        b->here = swap;
        n_above = n;
    }
    settle(l, b, b->above, n_above, b->y1);
}

static uint32_t find_slot(struct label *l, uint32_t s)
{
    while (l->slot[s].next != NONE)
        s = l->slot[s].next;
    return s;
}

static void join_slots(struct label *l, uint32_t i, uint32_t k)
{
    i = find_slot(l, i);
    k = find_slot(l, k);
    if (i == k)
        return;
    add_moments(&l->slot[i < k ? i : k].m, &l->slot[i < k ? k : i].m);
    l->slot[i < k ? k : i].next = i < k ? i : k;
}

/* Join the open components on both sides of the border above band b. */
static void join_border(struct label *l, struct band *b)
{
    int64_t n_above = read_runs(l, b->y0 - 1, b->above), n = read_runs(l, b->y0, b->here), i = 0;
    for (int64_t k = 0; k < n; k++) {
        while (i < n_above && b->above[i].end < b->here[k].begin)
            i++;
        for (int64_t j = i; j < n_above && b->above[j].begin <= b->here[k].end; j++)
            join_slots(l, slot_of(l, find(l->node, b->above[j].id)), slot_of(l, find(l->node, b->here[k].id)));
    }
}

/* Weigh what stayed open at row y. */
static void settle_border(struct label *l, struct band *b, int64_t y)
{
    int64_t n = read_runs(l, y, b->here);
    for (int64_t k = 0; k < n; k++) {
        uint32_t root = find(l->node, b->here[k].id);
        if ((l->node[root].node & OPEN) == OPEN)
            l->node[root].node = weighed(l, &l->slot[find_slot(l, slot_of(l, root))].m);
    }
}

/* Links point to earlier runs of the band, whose weights are known by then. */
static void resolve_band(void *ctx, int64_t item, int thread)
{
    struct label *l = ctx;
    (void)thread;
    uint32_t end = pfs_runs_first(l->runs, l->band[item].y1);
    for (uint32_t i = pfs_runs_first(l->runs, l->band[item].y0); i < end; i++)
        l->node[i].node = l->node[i].node & DONE ? l->node[i].node & PAYLOAD : l->node[l->node[i].node].node;
}

static int64_t band_count(int64_t h, int threads)
{
    int64_t most = h / BAND_ROWS_MIN;
    return threads < 1 || most < 1 ? 1 : threads < most ? threads : most;
}

/* The most runs in any row. */
static int64_t most_runs(const struct pfs_runs *runs)
{
    int64_t most = 1;
    for (int64_t y = 0; y < runs->bits.h; y++) {
        int64_t n = (int64_t)pfs_runs_first(runs, y + 1) - pfs_runs_first(runs, y);
        most = n > most ? n : most;
    }
    return most;
}

/* Slots of a band: open ones of the current two rows, and those that wait at its first and last row. */
static int64_t band_slots(int64_t most)
{
    return 4 * most + 1;
}

/* read_runs tries to read one more than there are. */
static int64_t band_runs(int64_t most)
{
    return most + 1;
}

size_t pfs_label_scratch(const struct pfs_runs *runs, int threads)
{
    int64_t bands = band_count(runs->bits.h, threads), most = most_runs(runs);
    return (size_t)(bands * band_slots(most)) * sizeof(struct slot) + (size_t)bands * sizeof(struct band) +
           (size_t)(2 * bands * band_runs(most)) * sizeof(struct run);
}

static void lay_out(struct label *l, int64_t most, void *scratch)
{
    l->slot = scratch;
    struct run *run = (struct run *)(l->slot + l->bands * band_slots(most));
    l->band = (struct band *)(run + 2 * l->bands * band_runs(most));
    for (int64_t i = 0; i < l->bands; i++)
        l->band[i] = (struct band){.y0 = l->h * i / l->bands, .y1 = l->h * (i + 1) / l->bands,
                                   .base = i * band_slots(most), .free = NONE,
                                   .above = run + 2 * i * band_runs(most),
                                   .here = run + (2 * i + 1) * band_runs(most)};
}

void pfs_label(const struct pfs_runs *runs,
               float (*weigh)(const void *ctx, const struct pfs_moments *m), const void *ctx,
               union pfs_weight *weight, void *scratch, int threads)
{
    struct label l = {.runs = runs, .h = runs->bits.h, .weigh = weigh, .ctx = ctx, .node = weight,
                      .bands = band_count(runs->bits.h, threads)};
    lay_out(&l, most_runs(runs), scratch);
    pfs_parallel(threads, l.bands, scan_band, &l);
    for (int64_t i = 1; i < l.bands; i++)
        join_border(&l, &l.band[i]);
    for (int64_t i = 1; i < l.bands; i++) {
        settle_border(&l, &l.band[i], l.band[i].y0 - 1);
        settle_border(&l, &l.band[i], l.band[i].y0);
    }
    pfs_parallel(threads, l.bands, resolve_band, &l);
}
