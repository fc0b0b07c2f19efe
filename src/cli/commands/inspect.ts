// `nslab inspect`: a lab, its nodes and their interfaces, or one container; read from the kernel now.

import { type Container, findContainer, listContainers } from '../../lab/containers.ts';
import { inspectContainer } from '../../lab/inspect-container.ts';
import { assertRoot, openKernel } from '../../lab/kernel.ts';
import { inspectLab, isLabOfSeveral, type LabView, type NodeView } from '../../lab/list.ts';
import { containerText } from '../output/container-facts.ts';
import { statusText } from '../output/container-status.ts';
import { renderTable } from '../output/table.ts';
import { visibleLines } from '../output/visible.ts';

type Args = { name?: string; lab?: string; json: boolean };

export async function run({ name, lab, json }: Args): Promise<void> {
  assertRoot('inspect');
  const kernel = await openKernel('inspect');
  try {
    const container = containerMeant(name, lab);
    const print = (facts: object, text: string): void =>
      void process.stdout.write(json ? `${JSON.stringify(facts, null, 2)}\n` : text);
    if (container === undefined) {
      const view = inspectLab(name ?? lab, kernel);
      print(toJson(view), toText(view));
    } else {
      const facts = inspectContainer(container, kernel);
      print(facts, containerText(facts, Date.now()));
    }
  } finally {
    kernel.close();
  }
}

/** A lab of that name comes first, but one that `run` has made is all of it its container. */
function containerMeant(name: string | undefined, lab: string | undefined): Container | undefined {
  if (name === undefined) return undefined;
  if (lab === undefined && isLabOfSeveral(name)) return undefined;
  const all = listContainers(lab);
  const isThere = all.some(({ node, model }) => node === name || model.place === name);
  return isThere || lab !== undefined ? findContainer(name, lab) : undefined;
}

function toJson({ view, nodes: _nodes, links, ...lab }: LabView) {
  return { ...lab, links, nodes: view };
}

function toText(view: LabView): string {
  const title = `lab ${view.lab} (${view.state}) from ${view.file ?? '-'}\n`;
  const about = view.description === null ? '' : `${visibleLines(view.description.trim())}\n`;
  const table = renderTable(
    ['NODE', 'KIND', 'INTERFACE', 'TYPE', 'STATE', 'MAC', 'MTU', 'ADDRESSES'],
    view.view.flatMap(nodeRows),
  );
  const containers = containerTable(view.view);
  return `${title}${about}\n${table}${containers === '' ? '' : `\n${containers}`}`;
}

function containerTable(nodes: readonly NodeView[]): string {
  const now = Date.now();
  const rows = nodes.flatMap(({ node, container, ports = [] }) => {
    if (container === undefined) return [];
    const status = statusText({ status: container?.status ?? 'missing', state: container }, now);
    const said = container?.error ?? container?.healthLog ?? '';
    return [
      [node, status, String(container?.pid || '-'), String(container?.restarts ?? 0), ports.join('\n'), said],
    ];
  });
  return rows.length === 0
    ? ''
    : renderTable(['CONTAINER', 'STATUS', 'PID', 'RESTARTS', 'PORTS', 'LAST WORDS'], rows);
}

function nodeRows(node: NodeView): string[][] {
  if (node.state === 'missing') return [[node.node, node.kind, '-', '-', 'missing', '', '', '']];
  // The loopback device says something only where it has more than its own addresses.
  const shown = node.devices.filter(
    (d) => d.type !== 'loopback' || d.addresses.some((a) => !/^(127\.|::1\/)/.test(a)),
  );
  if (shown.length === 0) return [[node.node, node.kind, '-', '-', '-', '', '', '']];
  return shown.map((device, i) => [
    i === 0 ? node.node : '',
    i === 0 ? node.kind : '',
    [device.ifname, ...device.altnames].join(' = '),
    device.master === undefined ? device.type : `${device.type} in ${device.master}`,
    stateOf(device),
    device.mac ?? '',
    String(device.mtu ?? ''),
    device.addresses.join('\n'),
  ]);
}

function stateOf({ up, running }: { up: boolean; running: boolean }): string {
  if (!up) return 'down';
  return running ? 'up' : 'no carrier';
}
