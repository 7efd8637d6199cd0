/* `pca.json`: the principal components over the bands.
 *
 *     mean, explained_variance (n-1), explained_variance_ratio: one value per band or component
 *     components: a row per component, one loading per band, the largest positive
 *
 * From the table of the operator "pca", all f64: `mean`, `explained_variance`, `explained_variance_ratio` of C values
 * and `components` of C * C, row by row. Only where there is more than one band. */
#include "files/json.h"
#include "files/report.h"

#include <errno.h>

enum { MEAN, VARIANCE, RATIO, COMPONENTS, N_COLUMNS };

static const char *const names[N_COLUMNS] = {"mean", "explained_variance", "explained_variance_ratio", "components"};

struct pca { struct pfs_column column[N_COLUMNS]; };

static void cell(struct pfs_text *t, const void *column, int64_t i)
{
    pfs_column_json(t, column, PFS_F64, i);
}

/* The report, or with `room` its text without the numbers, whose length is added to *room. */
static int compose(const struct pca *p, const struct pfs_name *n, struct pfs_text *t, int64_t *room,
                   struct pfs_err *err)
{
    int64_t bands = n->view->shape.c;
    pfs_text_add(t, "{\"planefs\":1");
    pfs_report_shape(t, &n->view->shape);
    pfs_report_bands(t, n->dataset, bands, "name");
    for (int i = MEAN; i <= RATIO; i++) {
        pfs_json_key(t, names[i]);
        pfs_report_list(t, room, PFS_JSON_REAL, 0, bands, cell, &p->column[i]);
    }
    pfs_json_key(t, names[COMPONENTS]);
    pfs_json_open(t, '[');
    for (int64_t row = 0; row < bands && !t->failed; row++) {
        pfs_text_add(t, row ? ",\n" : "\n");
        pfs_report_list(t, room, PFS_JSON_REAL, row * bands, bands, cell, &p->column[COMPONENTS]);
    }
    pfs_text_add(t, "]}\n");
    return t->failed ? pfs_fail(err, ENOMEM, "no memory for a report") : 0;
}

static int size(const struct pfs_name *n, int64_t *ret, struct pfs_err *err)
{
    PFS_AUTO_TEXT struct pfs_text t = {0};
    struct pca none = {0};
    int64_t room = 0;
    int r = compose(&none, n, &t, &room, err);
    *ret = (int64_t)t.n + room;
    return r;
}

static int text(struct pfs_engine *e, const struct pfs_name *n, struct pfs_blob table, struct pfs_text *ret,
                struct pfs_err *err)
{
    struct pca p;
    int64_t bands = n->view->shape.c;
    int r = 0;
    (void)e;
    for (int i = 0; !r && i < N_COLUMNS; i++)
        r = pfs_column_find(table, names[i], PFS_F64, i == COMPONENTS ? bands * bands : bands, &p.column[i], err);
    return r ? r : compose(&p, n, ret, NULL, err);
}

static bool applies(const struct pfs_dataset *d)
{
    return d->shape.c > 1;
}

const struct pfs_kind pfs_kind_pca_json = {
    .pattern = "pca.json",
    .doc = "principal components over the bands",
    .view = "source",
    .listed = true,
    .model = "pca",
    .size = size,
    .text = text,
    .applies = applies,
};
