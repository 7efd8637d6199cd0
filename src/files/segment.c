/* `segment.json`: thresholds and centres that the segmentations use.
 *
 *     {"otsu":[threshold per band],"kmeans":{"2":[[centres] per band],...,"8":[..]}}
 *
 * From the table of the operator "segment": a column `otsu`, f64, one value per band, and `kmeans2` ... `kmeans8`, f64,
 * K rising centres per band, one band behind the other. A band without samples has NaN: null. */
#include "files/json.h"
#include "files/report.h"

#include <errno.h>
#include <stdio.h>

enum { K_MIN = 2, K_MAX = 8 };

struct segment { struct pfs_column otsu, kmeans[K_MAX + 1]; };

static int find(struct segment *s, struct pfs_blob table, int64_t bands, struct pfs_err *err)
{
    int r = pfs_column_find(table, "otsu", PFS_F64, bands, &s->otsu, err);
    for (int k = K_MIN; !r && k <= K_MAX; k++) {
        char name[16];
        snprintf(name, sizeof name, "kmeans%d", k);
        r = pfs_column_find(table, name, PFS_F64, bands * k, &s->kmeans[k], err);
    }
    return r;
}

static void put_list(struct pfs_text *t, const struct pfs_column *c, int64_t first, int64_t n)
{
    pfs_json_open(t, '[');
    for (int64_t i = first; i < first + n; i++) {
        pfs_json_comma(t);
        pfs_column_json(t, c, PFS_F64, i);
    }
    pfs_json_close(t, ']');
}

static int compose(const struct segment *s, int64_t bands, struct pfs_text *t, struct pfs_err *err)
{
    pfs_json_open(t, '{');
    pfs_json_key(t, "otsu");
    put_list(t, &s->otsu, 0, bands);
    pfs_json_key(t, "kmeans");
    pfs_json_open(t, '{');
    for (int k = K_MIN; k <= K_MAX; k++) {
        char key[16];
        snprintf(key, sizeof key, "%d", k);
        pfs_json_key(t, key);
        pfs_json_open(t, '[');
        for (int64_t b = 0; b < bands; b++) {
            pfs_json_comma(t);
            put_list(t, &s->kmeans[k], b * k, k);
        }
        pfs_json_close(t, ']');
    }
    pfs_text_add(t, "}}\n");
    return t->failed ? pfs_fail(err, ENOMEM, "no memory for a report") : 0;
}

static int size(const struct pfs_name *n, int64_t *ret, struct pfs_err *err)
{
    PFS_AUTO_TEXT struct pfs_text t = {0};
    struct segment none = {0};
    int r = compose(&none, n->view->shape.c, &t, err);
    *ret = (int64_t)t.n;
    return r;
}

static int text(struct pfs_engine *e, const struct pfs_name *n, struct pfs_blob table, struct pfs_text *ret,
                struct pfs_err *err)
{
    struct segment s;
    (void)e;
    int r = find(&s, table, n->view->shape.c, err);
    return r ? r : compose(&s, n->view->shape.c, ret, err);
}

const struct pfs_kind pfs_kind_segment_json = {
    .pattern = "segment.json",
    .doc = "thresholds and cluster centres of every band",
    .view = "source",
    .listed = true,
    .model = "segment",
    .size = size,
    .text = text,
};
