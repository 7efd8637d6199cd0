/* README.txt of the control folder and `planefs views`: what can be asked for, all of it from the tables the program
 * itself works by. */
#include "fs/words.h"

#include <string.h>

static const char intro[] =
    "planefs: processed planes as files. Nothing here is computed before it is read, and nothing twice.\n"
    "\n"
    "A name may carry parameters before its suffix: corrected@hp_sigma=1500/05600.tif, stats@of=corrected.json.\n"
    "Several are joined by ',', the numbers of a list by ':'. of=VIEW makes a report, preview, projection, pca or\n"
    "segmentation work on another view; roi=y:x:h:w serves a part. A wrong key or value is \"No such file\".\n"
    "NAME.error beside any name says why it is not there or cannot be read; it is never listed.\n"
    "Defaults are those for 16-bit and float sources. For 8-bit sources an intensity is worth 1/257 of them, and\n"
    "1/intensity^2 257 times 257 times as much.\n"
    "\n";

static void add_padded(struct pfs_text *t, const char *s, int width)
{
    pfs_text_addf(t, "%-*s", width, s);
}

static void add_kinds(struct pfs_text *t)
{
    pfs_text_add(t, "FILES IN A DATA SET\n");
    for (int i = 0; pfs_kinds[i]; i++) {
        pfs_text_add(t, "  ");
        add_padded(t, pfs_kinds[i]->pattern, 38);
        pfs_text_addf(t, "  %s\n", pfs_kinds[i]->doc ? pfs_kinds[i]->doc : "");
    }
}

void pfs_readme_views(const struct pfs_registry *r, struct pfs_text *ret)
{
    pfs_text_add(ret, "VIEWS\n");
    for (int i = 0; i < r->n_views; i++) {
        const struct pfs_registry_view *v = &r->view[i];
        pfs_text_add(ret, "  ");
        add_padded(ret, v->name, 14);
        pfs_text_addf(ret, "  %s\n", v->doc);
        if (*v->recipe)
            pfs_text_addf(ret, "  %14s  = %s\n", "", v->recipe);
    }
}

static void add_parameter(struct pfs_text *t, const struct pfs_registry_param *p)
{
    pfs_text_addf(t, "    %-16s = %s%s%s", p->name, p->value, *p->unit ? " " : "", p->unit);
    if (*p->limits)
        pfs_text_addf(t, "   (%s)", p->limits);
    pfs_text_addf(t, "\n    %-16s   %s\n", "", p->doc);
}

void pfs_readme_operators(const struct pfs_registry *r, struct pfs_text *ret)
{
    pfs_text_add(ret, "OPERATORS AND THEIR PARAMETERS, with default, unit and limits\n");
    for (int i = 0; i < r->n_ops; i++) {
        const struct pfs_registry_op *op = &r->op[i];
        pfs_text_addf(ret, "  %s: %s\n", op->name, op->doc);
        if (*op->paper)
            pfs_text_addf(ret, "    %s\n", op->paper);
        for (int k = 0; k < op->n_params; k++)
            add_parameter(ret, &op->param[k]);
    }
}

static void add_drivers(const struct pfs_registry *r, struct pfs_text *t)
{
    pfs_text_add(t, "SOURCES READ\n");
    for (int i = 0; i < r->n_drivers; i++)
        pfs_text_addf(t, "  %-14s  %s\n", r->driver[i].name, r->driver[i].doc);
}

void pfs_readme(const struct pfs_registry *r, struct pfs_text *ret)
{
    pfs_text_add(ret, intro);
    add_kinds(ret);
    pfs_text_add(ret, "\n");
    pfs_readme_views(r, ret);
    pfs_text_add(ret, "\n");
    pfs_readme_operators(r, ret);
    pfs_text_add(ret, "\n");
    add_drivers(r, ret);
}
