/* The built-in views, made from views.def, and cutting a recipe into the names of its operators. */
#include "stack/views.h"

#include <string.h>

const struct pfs_view pfs_views[] = {
#define VIEW(name, recipe, listed, doc) {#name, recipe, doc, listed},
#include "stack/views.def"
#undef VIEW
    {0}
};

bool pfs_recipe_word(const char **recipe, char word[PFS_RECIPE_WORD])
{
    const char *p = *recipe + strspn(*recipe, " |");
    size_t n = strcspn(p, " |");
    *recipe = p + n;
    if (n >= PFS_RECIPE_WORD)
        n = PFS_RECIPE_WORD - 1;
    memcpy(word, p, n);
    word[n] = 0;
    return n > 0;
}

const struct pfs_view *pfs_view_named(const char *name)
{
    for (const struct pfs_view *v = pfs_views; v->name; v++)
        if (!strcmp(v->name, name))
            return v;
    return NULL;
}

bool pfs_view_available(const struct pfs_view *v)
{
    const char *rest = v->recipe;
    char word[PFS_RECIPE_WORD];
    while (pfs_recipe_word(&rest, word)) {
        word[strcspn(word, ":")] = 0;
        if (!pfs_op_named(word))
            return false;
    }
    return true;
}
