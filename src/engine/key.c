/* Keys: the canonical text of a plane, everything that its pixels depend on and nothing else. No path, host or time, so a
 * copied or moved data set finds the same entries. */
#include "engine/own.h"

#include <planefs/mem.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

int pfs_plane_text(const struct pfs_view_on *v, const struct pfs_located *l, struct pfs_hash content, struct pfs_at at,
                   int steps, const struct pfs_hash *model, struct pfs_text *ret, struct pfs_err *err)
{
    const struct pfs_dataset *d = v->dataset;
    const struct pfs_recipe *r = &v->recipe;
    char hex[33];
    pfs_hash_hex(content, hex);
    pfs_text_addf(ret, "planefs 1\nsource %s/%u content %s codec %016llx series %d plane %lld %lld %lld\n", l->driver,
                  l->rev, hex, (unsigned long long)l->extent.codec, l->series, (long long)l->at.t, (long long)l->at.z,
                  (long long)l->at.c);
    pfs_text_addf(ret, "shape %lld %lld %s bits %d\n", (long long)d->shape.y, (long long)d->shape.x,
                  pfs_type_name(d->shape.type), d->bits);
    for (int i = 0; i < steps; i++) {
        pfs_text_addf(ret, "step %s\n", r->step[i].text);
        if (r->step[i].model && model) {
            pfs_hash_hex(*model, hex);
            pfs_text_addf(ret, "model %s\n", hex);
        }
        if (at.z < r->n_digest)
            pfs_text_addf(ret, "section %016llx\n", (unsigned long long)r->digest[at.z * r->n + i]);
    }
    return ret->failed ? pfs_fail(err, ENOMEM, "no memory for a key") : 0;
}

void pfs_engine_key(struct pfs_engine *e, struct pfs_view_on *v, struct pfs_at at, char hex[33])
{
    struct pfs_located l;
    struct pfs_hash content, model;
    struct pfs_blob table = {0};
    PFS_AUTO_TEXT struct pfs_text text = {0};
    hex[0] = 0;
    bool needs = pfs_model_step(&v->recipe) >= 0;
    if (pfs_gather_step(&v->recipe) >= 0 || (needs && !pfs_model_known(e, v, at, &table, &model)))
        return;
    free(table.data);
    if (pfs_catalog_locate(e->catalog, v->dataset, at, false, &l, NULL) ||
        pfs_catalog_content(e->catalog, v->dataset, &l, PFS_KNOWN, &content, NULL) ||
        pfs_plane_text(v, &l, content, at, v->recipe.n, needs ? &model : NULL, &text, NULL))
        return;
    pfs_hash_hex(pfs_hash(text.s, text.n), hex);
}
