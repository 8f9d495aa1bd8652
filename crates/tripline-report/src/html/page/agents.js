// What each agent normally does: when, with which services, how fast, and on what.

function agentsView(data, root) {
  if (data.agents.length === 0) {
    root.append(el('p', {}, 'No call is known to be an agent’s.'));
    return;
  }
  const detail = el('div', { 'aria-live': 'polite' });
  const names = el('datalist', { id: 'agent-names' }, ...data.agents.slice(0, 500).map((agent) => el('option', { value: agent.name })));
  const choice = el('input', { id: 'agent-choice', list: 'agent-names', type: 'search' });
  const show = () => {
    const wanted = choice.value.toLowerCase();
    const exact = data.agents.find((agent) => agent.name.toLowerCase() === wanted);
    const agent = exact ?? data.agents.find((other) => other.name.toLowerCase().includes(wanted));
    detail.replaceChildren(agent ? agentDetail(data, agent) : el('p', {}, 'No agent of that name.'));
  };
  choice.addEventListener('input', show);
  const body = el('tbody', {}, ...data.agents.slice(0, 200).map((agent) => el('tr', {},
    el('td', {}, badge(agent.verdict)),
    el('td', {}, el('button', {
      type: 'button',
      class: 'link',
      click: () => {
        choice.value = agent.name;
        show();
        detail.scrollIntoView({ block: 'nearest' });
      },
    }, agent.name)),
    el('td', { class: 'number' }, count(agent.findings)),
    el('td', { class: 'number' }, count(agent.calls)),
    el('td', {}, agent.known ? agent.known.maturity : 'no baseline'))));
  const more = data.agents.length - 200;
  fill(root, {}, [
    el('div', { class: 'scroll low', tabindex: '0', role: 'region', 'aria-label': 'Agents' },
      el('table', {}, head('Strongest', 'Agent', '#Findings', '#Calls', 'Baseline'), body)),
    more > 0 ? el('p', { class: 'note' }, `${count(more)} more can be searched for.`) : null,
    el('form', { class: 'filters', role: 'search', submit: (event) => event.preventDefault() },
      el('label', { for: 'agent-choice' }, 'Agent'), choice, names),
    detail]);
  show();
}

function agentDetail(data, agent) {
  const known = agent.known;
  return el('article', {},
    el('h3', {}, el('bdi', {}, agent.name), agent.class >= 0 ? ` of class ${data.text(agent.class)}` : ''),
    el('p', { class: 'note' }, `${count(agent.calls)} calls here, ${count(agent.findings)} of them findings.`),
    el('h4', {}, 'Services by hour of the day (UTC), in these logs, findings left out'),
    heat(agent),
    ...(known ? habits(data, known) : [el('p', { class: 'note' }, 'No baseline is in force: make one by tripline learn, and give it by --baselines.')]));
}

/** A table, so that it can be read without eyes for colours; the shade repeats the number. */
function heat(agent) {
  if (agent.hours.length === 0) return el('p', {}, 'None.');
  const highest = Math.max(...agent.hours.flatMap(([, hours]) => hours), 1);
  const level = (number) => (number === 0 ? 0 : 1 + Math.floor((7.99 * Math.log1p(number)) / Math.log1p(highest)));
  const hours = el('tr', {}, el('th', { scope: 'col' }, 'Service'), ...Array.from({ length: 24 }, (_, hour) => el('th', { scope: 'col' }, String(hour).padStart(2, '0'))));
  const rows = agent.hours.map(([service, counts]) => el('tr', {}, el('th', { scope: 'row' }, service),
    ...counts.map((number) => el('td', { class: `h${Math.min(level(number), 8)}` }, number > 999 ? `${Math.round(number / 1000)}k` : number || ''))));
  return el('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Services by hour' },
    el('table', { class: 'heat' }, el('thead', {}, hours), el('tbody', {}, ...rows)));
}

function habits(data, known) {
  const of = (family) => known.values.filter((value) => value[0] === family);
  const value = ([, , name, isKnown, episodes]) => el('li', { class: isKnown ? '' : 'pending' },
    code(data.text(name)), ` ${count(episodes)} episodes${isKnown ? '' : ', not known yet'}`);
  const list = (title, family) => {
    const values = of(family);
    if (values.length === 0) return null;
    return el('details', {}, el('summary', {}, `${title} (${values.length})`), el('ul', {}, ...values.map(value)));
  };
  return [
    el('h4', {}, 'Learned'),
    el('p', {}, `${known.maturity}${known.span ? `, from ${known.span}` : ''}`),
    el('h4', {}, 'Rates'),
    known.rates.length > 0 ? el('ul', {}, ...known.rates.map((rate) => el('li', {}, rate))) : el('p', {}, 'None.'),
    el('h4', {}, 'Values'),
    list('Actions', 'action'), list('Regions', 'region'), list('Networks', 'network'), list('Made with', 'user-agent'), list('Errors', 'error'),
    el('h4', {}, 'Resources, by action'),
    ...resources(data, of('resource')),
    known.more > 0 ? el('p', { class: 'note' }, `${count(known.more)} more values: tripline baseline show.`) : null,
  ];
}

/** The learned resources of each action as a tree: each value hangs below the longest that begins it. */
function resources(data, values) {
  const trees = new Map();
  for (const value of values) {
    const action = data.text(value[1]);
    if (!trees.has(action)) trees.set(action, []);
    trees.get(action).push({ path: data.text(value[2]), known: value[3], episodes: value[4], below: [] });
  }
  return [...trees].map(([action, nodes]) => {
    nodes.sort((one, other) => (one.path < other.path ? -1 : 1));
    const top = { path: '', below: [] };
    const open = [top];
    for (const node of nodes) {
      while (open.length > 1 && !node.path.startsWith(open[open.length - 1].path)) open.pop();
      open[open.length - 1].below.push(node);
      if (node.path !== '') open.push(node);
    }
    return el('details', { class: 'tree' }, el('summary', {}, code(action), ` (${nodes.length})`), branch(top));
  });
}

function branch(node) {
  return el('ul', {}, ...node.below.map((child) => el('li', { class: child.known ? '' : 'pending' },
    code(child.path.slice(node.path.length) || 'any'), ` ${count(child.episodes)}`,
    child.below.length > 0 ? branch(child) : null)));
}
