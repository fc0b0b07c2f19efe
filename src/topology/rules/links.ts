// Wires: every end is one interface of its own, and not both are the machine's.

import type { EndRef } from '../../model/interface.ts';
import type { Link } from '../../model/lab.ts';
import type { PathProblem } from '../problems.ts';
import { type LabRule, pathOf } from './lab-view.ts';

export const links: LabRule = (view) => {
  const firsts = new Map<string, LinkEnd>();
  return view.lab.links.flatMap((link) => {
    const found = [...toItself(link), ...bothOnHost(link)];
    if (found.length === 0) {
      for (const index of [0, 1] as const) {
        const key = endKey(link.ends[index]);
        const first = firsts.get(key);
        if (first === undefined) firsts.set(key, { link, index });
        else found.push(twice({ link, index }, first));
      }
    }
    return found;
  });
};

type LinkEnd = { readonly link: Link; readonly index: 0 | 1 };

function twice({ link, index }: LinkEnd, first: LinkEnd): PathProblem {
  const end = link.ends[index];
  return {
    code: 'LINK_END_TWICE',
    message: `${end.node}:${end.ifname} is the end of two links`,
    hint: 'an interface has one wire; use another interface, or a bridge node to join several',
    path: pathOf(link, 'endpoints', index),
    related: { message: 'the first link ends here', path: pathOf(first.link, 'endpoints', first.index) },
  };
}

/** No name of an interface or of a namespace has a slash. */
function endKey({ place, ifname }: EndRef): string {
  return place === null ? ifname : `${place}/${ifname}`;
}

function toItself(link: Link): PathProblem[] {
  const [a, b] = link.ends;
  if (a.place !== b.place || a.ifname !== b.ifname) return [];
  return [
    {
      code: 'LINK_SELF',
      message: `both ends of this link are ${a.node}:${a.ifname}`,
      hint: 'name the interface at the other end of the wire',
      path: pathOf(link, 'endpoints', 1),
    },
  ];
}

function bothOnHost(link: Link): PathProblem[] {
  const [a, b] = link.ends;
  if (a.place !== null || b.place !== null) return [];
  return [
    {
      code: 'LINK_HOST',
      severity: 'warning',
      message: 'both ends of this link are on the machine itself, outside every node',
      hint: 'one end of a link is usually in a node of the lab',
      path: pathOf(link, 'endpoints'),
    },
  ];
}
