"""What the page does more where scripts run: copy, sort, filter, keep the theme, open everything before print.

Without it nothing is missing but these: no button stands there that does nothing. It reads the page and changes how
it is shown; it asks for nothing, evaluates nothing, and writes text only as text.
"""

SCRIPT = """
'use strict';
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const made = (name, className, text) =>
    Object.assign(document.createElement(name), {className, textContent: text});
  const said = document.getElementById('said');
  const say = (text) => { if (said) said.textContent = text; };

  const copied = async (element) => {
    const text = element.textContent;
    try { await navigator.clipboard.writeText(text); return true; } catch { /* not allowed here */ }
    getSelection().selectAllChildren(element);
    try { return document.execCommand('copy'); } catch { return false; }
  };
  const place = (element, button, small) => {
    const text = element.textContent;
    const cut = text.lastIndexOf(' ') + 1;
    if (!small) { element.after(button); return; }
    if (text.length - cut > 30) { element.append(button); return; }
    const end = made('span', 'nowrap', text.slice(cut)); /* no line ends before the button */
    end.append(button);
    element.replaceChildren(text.slice(0, cut), end);
  };
  const offer = (element) => {
    const small = !element.closest('pre');
    const button = made('button', small ? 'copy small' : 'copy', small ? '' : 'Copy');
    button.type = 'button';
    button.title = 'Copy';
    button.setAttribute('aria-label', 'Copy ' + element.textContent.slice(0, 80));
    button.addEventListener('click', async () => {
      const done = await copied(element);
      button.classList.add('done');
      if (!small) button.textContent = done ? 'Copied' : 'Selected';
      say(done ? 'Copied' : 'Selected; copy it with the keyboard');
      setTimeout(() => {
        button.classList.remove('done');
        if (!small) button.textContent = 'Copy';
      }, 2000);
    });
    place(element, button, small);
    element.removeAttribute('data-copy');
  };
  const offers = (within) => all('code[data-copy]', within).forEach(offer);
  all('code[data-copy]').filter((code) => !code.closest('details:not([open])')).forEach(offer);
  document.addEventListener('toggle', (event) => { if (event.target.open) offers(event.target); }, true);

  for (const table of all('table.sorts')) {
    const body = table.tBodies[0];
    all('thead th', table).forEach((head, column) => {
      const button = made('button', 'sort', head.textContent);
      button.type = 'button';
      head.replaceChildren(button);
      button.addEventListener('click', () => {
        const down = head.getAttribute('aria-sort') === 'ascending';
        const key = (row) => row.cells[column].dataset.sort;
        const one = down ? -1 : 1;
        const order = [...body.rows].sort((a, b) => one * key(a).localeCompare(key(b), 'en', {numeric: true}));
        all('thead th', table).forEach((other) => other.removeAttribute('aria-sort'));
        head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
        body.append(...order);
      });
    });
  }

  const filters = document.querySelector('.filters');
  if (filters) {
    const words = document.getElementById('filter-text');
    const status = document.getElementById('filter-status');
    const rows = [...document.querySelector('table.sorts').tBodies[0].rows];
    const apply = () => {
      const wanted = words.value.trim().toLowerCase();
      rows.forEach((row) => {
        const fits = row.dataset.words.toLowerCase().includes(wanted);
        row.hidden = !(fits && (!status.value || row.dataset.status === status.value));
      });
      const left = rows.filter((row) => !row.hidden).length;
      document.getElementById('filtered').textContent = left + ' of ' + rows.length + ' sites';
    };
    words.addEventListener('input', apply);
    status.addEventListener('change', apply);
    filters.hidden = false;
    apply();
  }

  const revealed = () => {
    const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    for (let box = target.closest('details'); box; box = box.parentElement.closest('details')) box.open = true;
    target.scrollIntoView();
  };
  addEventListener('hashchange', revealed);
  revealed();

  let closed = [];
  addEventListener('beforeprint', () => {
    closed = all('details:not([open])');
    closed.forEach((box) => { box.open = true; });
  });
  addEventListener('afterprint', () => {
    closed.forEach((box) => { box.open = false; });
    closed = [];
  });

  const KEY = 'padlock-theme';
  try {
    const kept = document.getElementById(localStorage.getItem(KEY));
    if (kept && kept.name === 'theme') kept.checked = true;
  } catch { /* nothing is kept here */ }
  all('input[name=theme]').forEach((choice) => choice.addEventListener('change', () => {
    try { localStorage.setItem(KEY, choice.id); } catch { /* nothing is kept here */ }
  }));
})();
""".strip()
