// The page that works from a memory stick: figures and boundaries lie in the page itself, nothing is asked for.
// Texts reach the page through textContent only.

import './standalone.css';

import { h, redraw } from './dom.js';
import liveMap from './live_map.js';
import { CODE_OF_RANK, fixed, Trial } from './rescoring.js';
import { CONTESTED_BIT, LEVEL_BITS, TO_VERIFY_BIT } from './unit_layer.js';

const ROWS = 100; // rows of a list at first, and more at a press
const MOST_PRINTED = 600;
const PRINTED_WIDTH = 690; // CSS pixels between the margins of an upright A4 page
const REST = 250; // ms without a move before what is not drawn at every move
const COARSE = 10; // tenths that an arrow key moves; one with Shift
const STATUS = ['通过', '不通过', '待核实'];
const STATUS_CLASS = ['pass', 'fail', 'unknown'];

const $ = (id) => document.getElementById(`hj-${id}`);
const count = (number) => number.toLocaleString('zh-CN');

// Where the map and the page keep what they share; the live screens have a kernel's model in its place.
class Shared {
    constructor(values) {
        this.values = values;
        this.handlers = new Map();
    }
    get(name) {
        return this.values[name];
    }
    set(name, value) {
        if (this.values[name] === value) return;
        this.values[name] = value;
        this.emit(`change:${name}`);
    }
    emit(event, content) {
        for (const handler of this.handlers.get(event) ?? []) handler(content);
    }
    on(event, handler) {
        this.handlers.set(event, [...(this.handlers.get(event) ?? []), handler]);
    }
    off(event, handler) {
        this.handlers.set(event, (this.handlers.get(event) ?? []).filter((other) => other !== handler));
    }
    save_changes() {}
}

async function block(name) {
    const bytes = Uint8Array.from(atob($(name).textContent), (character) => character.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate'));
    return new Response(stream).arrayBuffer();
}

// A figure as views.words.number_text writes it.
function numberText(value, signed = false) {
    if (value === null) return '—';
    const text = fixed(Math.abs(value), 1);
    if (Number(text) === 0) return text;
    return value < 0 ? `−${text}` : signed ? `+${text}` : text;
}

class Page {
    constructor(data, buffers) {
        this.data = data;
        this.units = data.units;
        this.size = this.units.code.length;
        this.byCode = new Map(this.units.code.map((code, i) => [code, i]));
        this.levelOf = new Map(data.levels.map((level) => [level.code, level]));
        this.adopted = Uint8Array.from(this.units.level);
        this.trial = buffers.losses.byteLength ? this.#trial(buffers) : null;
        this.tried = this.trial?.adopted;
        this.unit = -1;
        this.tab = 'picture';
        this.list = { query: '', group: 'all', township: '', key: 'urgency', down: false, shown: ROWS };
        this.changes = { direction: 'all', shown: ROWS };
        this.tiles = new Map(
            [...document.querySelectorAll('[data-figure]')].map((figure) => {
                const change = document.querySelector(`[data-change="${figure.dataset.figure}"]`);
                return [figure.dataset.figure, { figure, change, own: [figure.textContent, change.textContent] }];
            }),
        );
        this.shared = new Shared({
            geometry_buffer: new Uint8Array(buffers.shapes),
            outline_buffer: new Uint8Array(buffers.outlines),
            levels: this.adopted,
            hover_text: this.hovers(),
            palette: data.levels,
            to_verify_label: '待核实',
            contested_label: data.contested,
            legend_title: '三色图',
            as_of: data.as_of,
            height: 400,
            selected: -1,
        });
        this.shared.on('change:selected', () => this.pick(this.shared.get('selected')));
        liveMap.render({ model: this.shared, el: $('map') });
        this.#listen();
        this.drawList();
        const [asked] = decodeURIComponent(location.hash.slice(1)).split('/');
        if (this.byCode.has(asked)) this.pick(this.byCode.get(asked));
        else if ($(`tab-${asked}`)) this.show(asked);
    }

    #trial({ losses, scored }) {
        return new Trial({
            losses: new Float64Array(losses),
            scored: new Uint8Array(scored),
            dimensions: this.data.dimensions,
            cuts: this.data.cuts,
            units: this.size,
        });
    }

    // A figure as the page writes it, for whoever drives the page from outside.
    figure(value) {
        return numberText(value);
    }

    text(place) {
        return this.data.texts[place];
    }

    place(i) {
        return this.data.townships[this.units.township[i]];
    }

    // What the map says of each unit, as JSON.
    hovers() {
        const { index, index_low: low, index_high: high, name, level } = this.units;
        const trying = this.tab === 'trial' && !this.trial.isAdopted;
        return JSON.stringify(
            name.map((called, i) => {
                let said = `选情指数 ${numberText(index[i])}`;
                if (level[i] & TO_VERIFY_BIT) said += `（${numberText(low[i])}～${numberText(high[i])}）`;
                const rest = this.units.hover[i].map((place) => this.text(place));
                const lines = trying ? [`现行：${said}`, this.trial.explain(i, this.tried)] : [said, ...rest];
                return [`${called}（${this.place(i)[1]}）`, ...lines];
            }),
        );
    }

    // --- tabs and units ------------------------------------------------------------------------------------

    #listen() {
        const tabs = [...document.querySelectorAll('[role="tab"]')];
        for (const tab of tabs) {
            tab.addEventListener('click', () => this.show(tab.id.slice('hj-tab-'.length)));
            tab.addEventListener('keydown', (event) => {
                const at = tabs.indexOf(tab);
                const next = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: -1 }[event.key];
                if (next === undefined) return;
                event.preventDefault();
                const to = tabs[(next + tabs.length) % tabs.length];
                to.focus();
                to.click();
            });
        }
        document.addEventListener('keydown', ({ key }) => {
            if (key === 'Escape' && this.unit >= 0) this.pick(-1);
        });
        for (const button of document.querySelectorAll('[data-sortable] [data-sort]')) {
            button.addEventListener('click', () => sortRows(button));
        }
        for (const row of document.querySelectorAll('tr[data-township]')) {
            row.querySelector('button').addEventListener('click', () => {
                Object.assign(this.list, { township: row.dataset.township, group: 'all', query: '', shown: ROWS });
                this.drawList();
                this.show('units');
            });
        }
        window.addEventListener('beforeprint', () => {
            this.list.shown = Math.max(this.list.shown, MOST_PRINTED);
            this.drawList();
            // The map is printed as it is on screen, only smaller: it could not be drawn anew in time.
            const { style, clientWidth, clientHeight } = $('map');
            style.setProperty('width', `${clientWidth}px`, 'important');
            style.setProperty('height', `${clientHeight}px`, 'important');
            style.zoom = Math.min(1, PRINTED_WIDTH / clientWidth);
        });
        window.addEventListener('afterprint', () => $('map').removeAttribute('style'));
        if (this.trial) this.#listenToDials();
    }

    show(tab) {
        if (this.unit >= 0) this.pick(-1);
        const was = this.tab;
        this.tab = tab;
        document.body.dataset.tab = tab;
        for (const button of document.querySelectorAll('[role="tab"]')) {
            const isOn = button.id === `hj-tab-${tab}`;
            button.setAttribute('aria-selected', String(isOn));
            button.tabIndex = isOn ? 0 : -1;
            document.getElementById(button.getAttribute('aria-controls')).hidden = !isOn;
        }
        history.replaceState(null, '', `#${tab}`);
        if (this.trial && (tab === 'trial' || was === 'trial')) this.drawTrial();
    }

    pick(unit) {
        if (unit === this.unit) return;
        const from = unit >= 0 && this.unit < 0 ? document.activeElement : null;
        this.unit = unit;
        const box = $('unit');
        box.hidden = unit < 0;
        document.body.classList.toggle('hj-has-unit', unit >= 0);
        if (unit >= 0) {
            this.cameFrom = from ?? this.cameFrom;
            box.replaceChildren(...this.profile(unit));
            box.querySelector('button').focus({ preventScroll: true });
            history.replaceState(null, '', `#${this.units.code[unit]}`);
        } else {
            history.replaceState(null, '', `#${this.tab}`);
            this.cameFrom?.focus?.({ preventScroll: true });
        }
        this.shared.set('selected', unit);
    }

    mark(code) {
        const { label, mark, value } = this.levelOf.get(code & LEVEL_BITS);
        return h('span', { className: `hj-mark hj-level-${value}`, title: label }, mark);
    }

    flags(code) {
        return [
            code & TO_VERIFY_BIT ? h('span', { className: 'hj-verify', title: '数据缺失，等级待核实' }, '待核实') : null,
            code & CONTESTED_BIT ? h('span', { className: 'hj-verify' }, '有争议') : null,
        ];
    }

    admission(i) {
        const verdict = this.units.admission[i];
        return verdict && h('span', { className: `hj-admission hj-${verdict}` }, this.data.admission[verdict]);
    }

    profile(i) {
        const { units, data } = this;
        const [, township, county] = this.place(i);
        const [low, high] = [numberText(units.index_low[i]), numberText(units.index_high[i])];
        const code = this.adopted[i];
        return [
            h('div', { className: 'hj-back' }, h('button', { type: 'button', onclick: () => this.pick(-1) }, '‹ 返回')),
            h(
                'div',
                { className: 'hj-profile' },
                h(
                    'header',
                    {},
                    h(
                        'div',
                        {},
                        h('h2', {}, units.name[i]),
                        h('p', { className: 'hj-place' }, [county, township, units.kind[i], units.code[i]].join('　')),
                        h(
                            'p',
                            { className: 'hj-verdicts' },
                            this.mark(code),
                            h('span', {}, this.levelOf.get(code & LEVEL_BITS).label),
                            ...this.flags(code),
                            this.admission(i),
                        ),
                    ),
                    h(
                        'div',
                        { className: 'hj-index' },
                        h('span', { className: 'hj-index-label' }, '选情指数'),
                        h('strong', {}, numberText(units.index[i])),
                        h('span', { className: 'hj-index-range' }, low === high ? '数据齐全' : `数据补齐后在 ${low}～${high}`),
                        h('span', { className: 'hj-index-change' }, data.since ? `较${data.since} ` : '', changeOf(units.change[i])),
                    ),
                ),
                this.trial && !this.trial.isAdopted
                    ? h('p', { className: 'hj-tried' }, `试算：${this.trial.explain(i, this.tried)}`)
                    : null,
                h('h3', {}, '各维度扣分'),
                h('div', { className: 'hj-losses-bars' }, ...data.dimensions.map((d, k) => this.bar(d, units.lost[i][k]))),
                this.course(i),
                h('h3', {}, '扣分原因'),
                this.lossTable(i),
                data.gates.length ? h('h3', {}, '准入条件') : null,
                h('ul', { className: 'hj-verdict-list' }, ...units.verdicts[i].map((v, k) => this.verdict(data.gates[k], v))),
                h('h3', {}, '研判'),
                h(
                    'dl',
                    { className: 'hj-readings' },
                    ...units.readings[i].flatMap(([topic, said]) => [h('dt', {}, this.text(topic)), h('dd', {}, this.text(said))]),
                ),
            ),
        ];
    }

    bar({ label, weight }, lost) {
        const most = 100 * weight;
        const part = h('i', { className: 'hj-fail' });
        part.style.flexGrow = most ? lost / most : 0;
        const rest = h('i', { className: 'hj-rest' });
        rest.style.flexGrow = most ? 1 - lost / most : 1;
        return h(
            'div',
            { className: 'hj-loss-bar' },
            h('span', {}, label),
            h('span', { className: 'hj-bar', 'aria-hidden': 'true' }, part, rest),
            h('span', { className: 'hj-num' }, `扣 ${numberText(lost)} / ${numberText(most)}`),
        );
    }

    lossTable(i) {
        const rows = this.units.losses[i].map(([indicator, points, value, day, reason, source, row]) => {
            const { label, dimension } = this.data.indicators[indicator];
            const from = this.text(source);
            const cell = from ? `出处：${from}${row ? `，第${row}行` : ''}` : '没有填报或未留出处';
            return h(
                'tr',
                {},
                h(
                    'td',
                    {},
                    h('span', { className: 'hj-reason' }, this.text(reason) || label),
                    h('small', {}, [dimension, this.text(value), this.text(day)].filter(Boolean).join('，')),
                    h('small', {}, cell),
                ),
                h('td', { className: 'hj-num hj-strong' }, numberText(points)),
            );
        });
        if (!rows.length) return h('p', { className: 'hj-lead' }, '各项指标均未扣分。');
        return h(
            'table',
            { className: 'hj-table hj-losses' },
            h('thead', {}, h('tr', {}, h('th', { scope: 'col' }, '扣分原因'), h('th', { scope: 'col', className: 'hj-num' }, '扣分'))),
            h('tbody', {}, ...rows),
        );
    }

    verdict({ label, rule, remedy }, [status, reason]) {
        return h(
            'li',
            { className: `hj-${STATUS_CLASS[status]}` },
            h(
                'div',
                {},
                h('strong', {}, label),
                h('span', { className: `hj-admission hj-${STATUS_CLASS[status]}` }, STATUS[status]),
            ),
            h('p', {}, this.text(reason)),
            status ? h('p', { className: 'hj-remedy' }, `办理要求：${remedy}`) : null,
            h('small', {}, `依据：${rule}`),
        );
    }

    // The index at every snapshot as a line, with the cut-offs.
    course(i) {
        if (!this.trial || this.trial.snapshots < 2) return null;
        const { yellow_from: yellow, green_from: green } = this.data.cuts;
        const course = this.trial.course(i);
        const x = (k) => 40 + (360 * k) / (course.length - 1);
        const y = (value) => 8 + 1.04 * (100 - value);
        const parts = [green, yellow].flatMap((cut) => [
            s('line', { x1: 40, x2: 400, y1: y(cut), y2: y(cut), stroke: '#8b97aa', 'stroke-dasharray': '4 3' }),
            s('text', { x: 34, y: y(cut) + 4, 'text-anchor': 'end', 'font-size': 13 }, String(cut)),
        ]);
        let path = '';
        let pen = 'M';
        course.forEach((value, k) => {
            if (value !== null) path += `${pen}${x(k).toFixed(1)} ${y(value).toFixed(1)}`;
            pen = value === null ? 'M' : 'L';
        });
        parts.push(s('path', { d: path, fill: 'none', stroke: '#1b2430', 'stroke-width': 2 }));
        const last = course[course.length - 1];
        if (last !== null) {
            parts.push(s('text', { x: 406, y: y(last) + 4, 'font-size': 14, 'font-weight': 700 }, numberText(last)));
        }
        const { snapshots } = this.data;
        parts.push(s('text', { x: 40, y: 130, 'font-size': 13 }, snapshots[0]));
        parts.push(s('text', { x: 400, y: 130, 'text-anchor': 'end', 'font-size': 13 }, snapshots[snapshots.length - 1]));
        const drawing = s('svg', { viewBox: '0 0 450 136', role: 'img', 'aria-label': '历次选情指数' }, ...parts);
        return h('figure', { className: 'hj-course' }, h('h3', {}, '历次选情指数'), drawing);
    }

    // --- the list of units ---------------------------------------------------------------------------------

    groups() {
        const level = (code) => (i) => (this.adopted[i] & LEVEL_BITS) === code;
        const verdict = (wanted) => (i) => this.units.admission[i] === wanted;
        const groups = [['all', '全部', () => true]];
        for (const { code, label } of this.data.levels) groups.push([`level-${code}`, label, level(code)]);
        groups.push(['verify', '待核实', (i) => this.adopted[i] & TO_VERIFY_BIT]);
        groups.push(['contested', '有争议', (i) => this.adopted[i] & CONTESTED_BIT]);
        for (const [value, label] of Object.entries(this.data.admission)) groups.push([`gate-${value}`, label, verdict(value)]);
        const all = this.units.code.map((_, i) => i);
        return groups.map(([id, label, test]) => ({ id, label, units: all.filter(test) })).filter(({ units }) => units.length);
    }

    listed() {
        const { query, group, township, key, down } = this.list;
        this.grouped ??= this.groups();
        const wanted = query.trim();
        const found = (this.grouped.find(({ id }) => id === group) ?? this.grouped[0]).units.filter(
            (i) =>
                (!township || this.place(i)[0] === township) &&
                (!wanted || this.units.name[i].includes(wanted) || this.place(i)[1].includes(wanted) || this.units.code[i].includes(wanted)),
        );
        const { index, change, name } = this.units;
        const urgency = new Map(this.data.levels.map(({ code }, at) => [code, at]));
        const keys = {
            urgency: (a, b) =>
                urgency.get(this.adopted[a] & LEVEL_BITS) - urgency.get(this.adopted[b] & LEVEL_BITS) || index[a] - index[b],
            name: (a, b) => name[a].localeCompare(name[b], 'zh-CN'),
            township: (a, b) => this.units.township[a] - this.units.township[b],
            index: (a, b) => index[a] - index[b],
            change: (a, b) => missingLast(change[a], change[b], down),
        };
        return found.sort((a, b) => (down ? -1 : 1) * keys[key](a, b) || a - b);
    }

    drawList() {
        const found = this.listed();
        const { query, township, key, down, group, shown } = this.list;
        const take = (changes) => {
            Object.assign(this.list, { shown: ROWS }, changes);
            this.drawList();
        };
        const head = (id, label, numeric) => {
            const sorted = key === id ? (down ? 'descending' : 'ascending') : 'none';
            return h(
                'th',
                { scope: 'col', className: numeric ? 'hj-num' : '', 'aria-sort': sorted },
                h('button', { type: 'button', 'data-key': `sort-${id}`, onclick: () => take({ key: id, down: key === id && !down }) }, label),
            );
        };
        const rows = found.slice(0, shown).map((i) => this.row(i));
        redraw($('units'), [
            h(
                'div',
                { className: 'hj-filters' },
                h('input', {
                    type: 'search',
                    value: query,
                    placeholder: '查找村（社区）、镇街或代码',
                    'aria-label': '查找村（社区）、镇街或代码',
                    'data-key': 'query',
                    oninput: ({ target }) => take({ query: target.value }),
                }),
                h(
                    'select',
                    { 'aria-label': '镇街', 'data-key': 'township', onchange: ({ target }) => take({ township: target.value }) },
                    h('option', { value: '' }, '全部镇街'),
                    ...this.data.townships.map(([code, called]) => h('option', { value: code, selected: code === township }, called)),
                ),
            ),
            h(
                'div',
                { className: 'hj-order hj-groups', role: 'group', 'aria-label': '筛选' },
                ...this.grouped.map(({ id, label, units }) =>
                    h(
                        'button',
                        { type: 'button', 'aria-pressed': String(id === group), 'data-key': `group-${id}`, onclick: () => take({ group: id }) },
                        `${label} ${count(units.length)}`,
                    ),
                ),
            ),
            h('p', { className: 'hj-found', 'aria-live': 'polite' }, `共 ${count(found.length)} 个${rows.length < found.length ? `，列出前 ${count(rows.length)} 个` : ''}`),
            h(
                'table',
                { className: 'hj-table hj-unit-table' },
                h(
                    'thead',
                    {},
                    h('tr', {}, head('urgency', '等级'), head('name', '村（社区）'), head('township', '镇街'), head('index', '指数', true), head('change', '较上期', true)),
                ),
                h('tbody', {}, ...rows),
            ),
            rows.length < found.length
                ? h('p', { className: 'hj-more' }, h('button', { type: 'button', 'data-key': 'more', onclick: () => take({ shown: shown + 2 * ROWS }) }, '再列一些'))
                : null,
        ].filter(Boolean));
    }

    row(i) {
        const { units } = this;
        const reason = units.hover[i].length ? this.text(units.hover[i][0]) : '';
        const verdict = units.admission[i];
        return h(
            'tr',
            { 'data-unit': units.code[i] },
            h('td', {}, this.mark(this.adopted[i])),
            h(
                'th',
                { scope: 'row' },
                h('button', { type: 'button', className: 'hj-link', 'data-key': `unit-${units.code[i]}`, onclick: () => this.pick(i) }, units.name[i]),
                ...this.flags(this.adopted[i]),
                h('small', {}, [verdict ? this.data.admission[verdict] : '', reason].filter(Boolean).join('；')),
            ),
            h('td', {}, this.place(i)[1]),
            h('td', { className: 'hj-num hj-strong' }, numberText(units.index[i])),
            h('td', { className: 'hj-num' }, changeOf(units.change[i])),
        );
    }

    // --- what if -------------------------------------------------------------------------------------------

    #listenToDials() {
        const { trial } = this;
        this.dials = [...document.querySelectorAll('[data-dial]')];
        this.locks = [...document.querySelectorAll('[data-lock]')];
        this.dials.forEach((dial, at) => {
            const isCut = at >= trial.dimensions.length;
            dial.addEventListener('input', () => {
                if (isCut) trial.cut(dial.dataset.dial, Number(dial.value));
                else trial.weigh(at, Number(dial.value));
                this.try();
            });
            dial.addEventListener('keydown', (event) => {
                const step = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
                if (!step) return;
                event.preventDefault();
                dial.value = Number(dial.value) + step * (event.shiftKey ? 1 : COARSE);
                dial.dispatchEvent(new Event('input'));
            });
        });
        this.locks.forEach((lock, at) =>
            lock.addEventListener('click', () => {
                trial.locked[at] = !trial.locked[at];
                this.drawDials();
            }),
        );
        $('restore').addEventListener('click', () => {
            trial.restore();
            this.try();
        });
        this.drawDials();
    }

    // Scores what is tried; what need not follow every move is drawn when the slider has come to rest.
    try() {
        const { trial } = this;
        this.tried = trial.isAdopted ? trial.adopted : trial.scores();
        this.drawDials();
        this.recolour();
        document.body.classList.add('hj-moving');
        clearTimeout(this.resting);
        this.resting = setTimeout(() => this.drawTrial(), REST);
    }

    recolour() {
        const { tried, trial } = this;
        if (this.tab !== 'trial' || trial.isAdopted) {
            this.shared.set('levels', this.adopted);
            return;
        }
        this.shared.set(
            'levels',
            tried.rank.map((rank, i) => CODE_OF_RANK[rank] | (tried.toVerify[i] ? TO_VERIFY_BIT : 0)),
        );
    }

    drawTrial() {
        clearTimeout(this.resting);
        document.body.classList.remove('hj-moving');
        const trying = this.tab === 'trial';
        this.recolour();
        this.shared.set('legend_title', trying && !this.trial.isAdopted ? '试算三色图' : '三色图');
        this.shared.set('hover_text', this.hovers());
        this.drawDials();
        if (trying) this.drawChanges();
    }

    drawDials() {
        const { trial, tried } = this;
        const positions = [...trial.tenths, Math.round(10 * trial.yellow), Math.round(10 * trial.green)];
        this.dials.forEach((dial, at) => {
            const value = positions[at];
            const text = `${(value / 10).toFixed(1)}${dial.dataset.unit}`;
            dial.value = value;
            dial.disabled = at < trial.dimensions.length && trial.isFixed(at);
            dial.setAttribute('aria-valuetext', text);
            dial.style.setProperty('--at', `${value / 10}%`);
            document.querySelector(`output[for="${dial.id}"]`).textContent = text;
            document.body.style.setProperty(`--${dial.dataset.dial}`, `${value / 10}%`);
        });
        this.locks.forEach((lock, at) => lock.setAttribute('aria-pressed', String(trial.locked[at])));
        const trying = this.tab === 'trial';
        for (const [name, { figure, change, own }] of this.tiles) {
            if (!trying) [figure.textContent, change.textContent] = own;
            else if (name in TRIED) showChange(figure, change, ...TRIED[name](trial.adopted, tried));
        }
        document.querySelector('[data-label="mean"]').textContent = trying ? '改变颜色的村（社区）' : '平均选情指数';
    }

    drawChanges() {
        const { trial, tried } = this;
        const all = trial.changed(tried);
        const worse = all.filter((i) => tried.rank[i] < trial.adopted.rank[i]);
        const parts = { all, worse, better: all.filter((i) => tried.rank[i] > trial.adopted.rank[i]) };
        const { direction, shown } = this.changes;
        const found = parts[direction];
        const take = (changes) => {
            Object.assign(this.changes, { shown: ROWS }, changes);
            this.drawChanges();
        };
        const choice = (id, label) =>
            h(
                'button',
                { type: 'button', 'aria-pressed': String(id === direction), 'data-key': `direction-${id}`, onclick: () => take({ direction: id }) },
                `${label} ${count(parts[id].length)}`,
            );
        redraw($('trial'), [
            h('h2', {}, '谁会变色、为什么'),
            h('div', { className: 'hj-order', role: 'group', 'aria-label': '变色方向' }, choice('all', '全部'), choice('worse', '转差'), choice('better', '转好')),
            found.length
                ? h('ol', { className: 'hj-listing' }, ...found.slice(0, shown).map((i) => this.change(i)))
                : h('p', { className: 'hj-lead' }, all.length ? '这个方向没有村（社区）变色。' : `与现行相比，没有村（社区）改变颜色。${trial.isAdopted ? '移动左侧的滑块，就能看到谁会变色、为什么。' : ''}`),
            found.length > shown
                ? h('p', { className: 'hj-more' }, h('button', { type: 'button', 'data-key': 'more', onclick: () => take({ shown: shown + ROWS }) }, '再列一些'))
                : null,
        ].filter(Boolean));
    }

    change(i) {
        const { trial, tried } = this;
        const [before, after] = trial.texts(i, tried);
        return h(
            'li',
            { 'data-unit': this.units.code[i] },
            h(
                'button',
                { type: 'button', 'data-key': `change-${this.units.code[i]}`, onclick: () => this.pick(i) },
                h(
                    'span',
                    { className: 'hj-listing-head' },
                    this.mark(CODE_OF_RANK[trial.adopted.rank[i]]),
                    h('span', { className: 'hj-to', role: 'img', 'aria-label': '变为' }, '→'),
                    this.mark(CODE_OF_RANK[tried.rank[i]]),
                    ...this.flags(tried.toVerify[i] ? TO_VERIFY_BIT : 0),
                    h('span', { className: 'hj-listing-name' }, this.units.name[i]),
                    h('small', {}, this.place(i)[1]),
                    h('span', { className: 'hj-listing-index' }, before, h('span', { className: 'hj-to' }, '→'), after),
                ),
                h('span', { className: 'hj-listing-reason' }, trial.reason(i, tried)),
            ),
        );
    }
}

// Figures of what is tried and of the adopted state, by tile.
const ofRank = (rank) => (...scores) => scores.map((score) => score.rank.reduce((n, r) => n + (r === rank), 0));
const TRIED = {
    red: ofRank(1),
    yellow: ofRank(2),
    green: ofRank(3),
    unknown: ofRank(0),
    to_verify: (...scores) => scores.map(({ toVerify }) => toVerify.reduce((n, open) => n + open, 0)),
    mean: (adopted, tried) => [0, tried.rank.reduce((n, r, i) => n + (r !== adopted.rank[i]), 0)],
};

function showChange(figure, note, before, after) {
    figure.textContent = count(after);
    const change = after - before;
    if (figure.dataset.figure === 'mean') note.textContent = '较现行';
    else note.textContent = change ? `较现行 ${change > 0 ? '+' : '−'}${count(Math.abs(change))}` : '较现行 持平';
}

function changeOf(value) {
    const text = numberText(value, true);
    const tone = text.startsWith('+') ? 'hj-good' : text.startsWith('−') ? 'hj-bad' : '';
    return h('span', { className: `hj-change ${tone}` }, value !== null && !tone ? '持平' : text);
}

function missingLast(a, b, down) {
    if (a === null || b === null) return ((a === null) - (b === null)) * (down ? -1 : 1);
    return a - b;
}

// Sorts the rows of a table of the page by the column of a heading; missing values stay last.
function sortRows(button) {
    const heading = button.closest('th');
    const column = [...heading.parentElement.children].indexOf(heading);
    const table = heading.closest('table');
    const down = heading.getAttribute('aria-sort') === 'ascending';
    for (const other of table.querySelectorAll('th[aria-sort]')) other.removeAttribute('aria-sort');
    heading.setAttribute('aria-sort', down ? 'descending' : 'ascending');
    const isText = !heading.classList.contains('hj-num');
    const value = (row) => {
        const text = row.children[column].dataset.value;
        return isText ? text : text === '' ? null : Number(text);
    };
    const body = table.tBodies[0];
    const order = (a, b) => (isText ? a.localeCompare(b, 'zh-CN') : missingLast(a, b, down));
    body.append(...[...body.rows].sort((a, b) => (down ? -1 : 1) * order(value(a), value(b))));
}

function s(tag, attributes, ...children) {
    const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
}

async function open() {
    const names = ['data', 'losses', 'scored', 'shapes', 'outlines'];
    const [data, ...rest] = await Promise.all(names.map(block));
    await document.fonts.ready;
    const buffers = Object.fromEntries(names.slice(1).map((name, i) => [name, rest[i]]));
    window.huanjie = new Page(JSON.parse(new TextDecoder().decode(data)), buffers);
    $('amiss').remove();
}

open();
