/* Looking up views and cutting up recipes: for the stack floor itself. */
#ifndef STACK_VIEWS_H
#define STACK_VIEWS_H

#include <planefs/stack.h>

enum { PFS_RECIPE_WORD = 64 };

const struct pfs_view *pfs_view_named(const char *name);    /* NULL: none */
/* The next operator's name of a "a | b | c" recipe, which is moved on; false at its end. */
bool pfs_recipe_word(const char **recipe, char word[PFS_RECIPE_WORD]);

#endif
