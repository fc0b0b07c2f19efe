// The facts of a lab while it becomes another: either of the two may be there, in parts. Pure.

import type { UndoFacts } from './undo.ts';

/** What `down` needs to take away whichever parts of the two are there. */
export function mergeFacts(old: UndoFacts, next: UndoFacts): UndoFacts {
  return {
    group: next.group,
    netns: union(old.netns, next.netns),
    containers: union(old.containers, next.containers),
    links: union(old.links, next.links),
    nics: union(old.nics, next.nics),
    tables: union(old.tables, next.tables),
    rules: union(old.rules, next.rules),
    routes: union(old.routes, next.routes),
    neighbours: union(old.neighbours, next.neighbours),
    sysctls: union(old.sysctls, next.sysctls),
  };
}

function union<T>(a: readonly T[], b: readonly T[]): T[] {
  return [...new Map([...a, ...b].map((one) => [JSON.stringify(one), one])).values()];
}
