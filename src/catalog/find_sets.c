/* OME-TIFF sets in a folder: which file describes them, and which are parts that are not shown for themselves.
 *
 * A file says which others hold planes of it, or which one speaks for it. Only files named as OME's are asked, and of
 * names that differ by numbers one: a stack of ten thousand sections is not probed file by file. */
#include "catalog/own.h"

#include <planefs/mem.h>

#include <stdlib.h>
#include <string.h>

struct search { struct pfs_catalog *c; const char *folder; struct pfs_candidate *candidate; int64_t n; };

static struct pfs_candidate *named(const struct search *s, const char *name)
{
    for (int64_t i = 0; i < s->n; i++)
        if (!strcmp(s->candidate[i].name, name))
            return &s->candidate[i];
    return NULL;
}

static bool probe(const struct search *s, const struct pfs_candidate *of, struct pfs_probed *ret)
{
    PFS_AUTO_FREE char *path = pfs_path_join(s->folder, of->name);
    return path && !pfs_probe_file(s->c, path, &of->id, ret, NULL);
}

static int compare_strings(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool names_it(const struct pfs_series *s, char *name)
{
    return s->n_files && bsearch(&name, s->file, (size_t)s->n_files, sizeof *s->file, compare_strings);
}

/* The files the master names are parts of it. false when it names none. */
static bool take(const struct search *s, struct pfs_candidate *master, const struct pfs_probe *p)
{
    bool spread = false;
    for (int k = 0; k < p->n_series; k++)
        spread = spread || p->series[k].s.n_files > 0;
    if (!spread)
        return false;
    for (int64_t i = 0; i < s->n; i++)
        for (int k = 0; k < p->n_series && s->candidate[i].set == PFS_SET_NONE; k++)
            if (names_it(&p->series[k].s, s->candidate[i].name))
                s->candidate[i].set = PFS_SET_MEMBER;
    master->set = PFS_SET_MASTER;
    return true;
}

/* false: the file is not part of a set. */
static bool ask(const struct search *s, struct pfs_candidate *from)
{
    struct pfs_probed p, other;
    if (!probe(s, from, &p))
        return false;
    const char *name = p.p.series[0].s.master;
    struct pfs_candidate *master = name ? named(s, name) : NULL;
    bool found = !name && take(s, from, &p.p);
    if (master && master->set == PFS_SET_NONE && probe(s, master, &other)) {
        found = take(s, master, &other.p) && from->set != PFS_SET_NONE;
        pfs_probed_finish(&other);
    }
    pfs_probed_finish(&p);
    return found;
}

static bool same_but_digits(const char *a, const char *b)
{
    static const char digits[] = "0123456789";
    for (;; a++, b++) {
        a += strspn(a, digits);
        b += strspn(b, digits);
        if (*a != *b || !*a)
            return *a == *b;
    }
}

void pfs_find_sets(struct pfs_catalog *c, const char *folder, struct pfs_candidate *candidate, int64_t n)
{
    struct search s = {c, folder, candidate, n};
    const char *none = NULL;
    for (int64_t i = 0; i < n; i++) {
        struct pfs_candidate *from = &candidate[i];
        if (from->set != PFS_SET_NONE || !strcasestr(from->name, ".ome") || (none && same_but_digits(none, from->name)))
            continue;
        if (!ask(&s, from))
            none = from->name;
    }
    for (int64_t i = 0; i < n; i++)
        candidate[i].tiff_name = candidate[i].tiff_name && candidate[i].set == PFS_SET_NONE;
}
