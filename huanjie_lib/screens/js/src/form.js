// The form of one action on a case: its fields, its evidence, and what of the records it puts right.
//
// What was typed lives in a draft that outlasts the form, so that a redraw or a lost race takes nothing away.

import { h, sizeText } from './dom.js';

export class Draft {
    constructor(form, today) {
        this.values = Object.fromEntries(form.fields.map((field) => [field.name, field.value ?? '']));
        this.happenedOn = today;
        this.evidence = []; // {digest, name, bytes, media_type} of files that have arrived
        this.refused = []; // sentences about files that have not
        this.uploading = 0;
        this.rows = form.rows.map(() => ({}));
        this.touched = false; // whether anything has been typed or attached
        this.sent = null; // the action that may or may not have arrived
        this.busy = false;
        this.fault = null;
    }

    // What is still missing, as sentences.
    blockers(form, task) {
        const found = form.fields
            .filter(({ name, required }) => required && !this.values[name].trim())
            .map(({ kind, label }) => `请${kind === 'date' ? '选择' : '填写'}${label}。`);
        for (const { name, kind, label, min } of form.fields) {
            const value = this.values[name];
            if (kind === 'date' && value && min && value < min) found.push(`${label}不能早于${dateText(min)}。`);
        }
        if (!this.happenedOn) found.push('请选择办理日期。');
        else if (this.happenedOn < task.opened_on) found.push(`办理日期不能早于立案日期${dateText(task.opened_on)}。`);
        else if (this.happenedOn > task.today) found.push('办理日期不能晚于今天。');
        form.rows.forEach((row, at) => {
            const typed = this.rows[at];
            if (!Object.values(typed).some((text) => text.trim())) return;
            const lacking = row.fields.filter(({ column, required }) => required && !(typed[column] ?? '').trim());
            if (lacking.length) found.push(`“${row.label}”还要填写${lacking.map(({ label }) => label).join('、')}。`);
        });
        if (this.uploading) found.push('文件还在上传，请稍候。');
        return found;
    }

    payload(form) {
        const payload = {};
        for (const { name } of form.fields) payload[name] = this.values[name].trim();
        if (!form.evidence) return payload;
        return { ...payload, evidence: this.evidence, amendments: this.amendments(form) };
    }

    amendments(form) {
        const found = [];
        form.rows.forEach((row, at) => {
            const set = {};
            for (const { column, kind } of row.fields) {
                const text = (this.rows[at][column] ?? '').trim();
                if (text) set[column] = TYPED[kind]?.(text) ?? text;
            }
            if (!Object.keys(set).length) return;
            if (row.insert) found.push({ table: row.table, insert: { ...row.fixed, ...set } });
            else found.push({ table: row.table, key: row.key, set });
        });
        return found;
    }
}

const TYPED = { integer: Number, number: Number, boolean: (text) => text === 'true' };
const YES_NO = [
    { value: 'true', label: '是' },
    { value: 'false', label: '否' },
];

export function dateText(iso) {
    const [year, month, day] = iso.split('-').map(Number);
    return `${year}年${month}月${day}日`;
}

// Draws a form; `act` holds what its controls do: changed(), submit(), files(list).
export function formOf(form, task, draft, act) {
    const id = `hj-act-${form.event}`;
    const { foot, refresh } = footOf(id, draft, `确认${form.label}`, () => draft.blockers(form, task));
    const bind = (control, take) => {
        control.disabled = draft.busy;
        control.addEventListener('input', () => {
            take(control.value);
            draft.touched = true;
            refresh();
        });
        return control;
    };

    const fields = form.fields.map((field) =>
        labelled(
            field.label + (field.required ? '' : '（可不填）'),
            bind(controlOf(field, `${id}-${field.name}`, draft.values[field.name]), (value) => {
                draft.values[field.name] = value;
            }),
            field.hint,
            suggestionsOf(field, `${id}-${field.name}`),
        ),
    );
    fields.push(
        labelled(
            '办理日期',
            bind(
                controlOf({ kind: 'date', min: task.opened_on, max: task.today }, `${id}-happened-on`, draft.happenedOn),
                (value) => {
                    draft.happenedOn = value;
                },
            ),
            '实际办理的日期，默认今天',
        ),
    );

    const drawn = h(
        'form',
        { className: 'hj-form', id, noValidate: true, 'aria-label': form.label },
        form.lead ? h('p', { className: 'hj-form-lead' }, form.lead) : null,
        h('div', { className: 'hj-form-fields' }, ...fields),
        form.evidence ? evidenceOf(form, task, draft, act, id) : null,
        form.rows.length ? rowsOf(form, draft, bind, id) : null,
        draft.fault ? faultOf(draft.fault) : null,
        foot,
    );
    drawn.addEventListener('recheck', refresh); // what lies outside the form has changed
    return submitted(drawn, act.submit);
}

// The button that sends a draft, and beside it what is still missing; refresh looks at it again.
export function footOf(id, draft, label, blockers, ...more) {
    const waiting = h('ul', { className: 'hj-blockers', id: `${id}-blockers` });
    const button = h('button', {
        type: 'submit',
        className: 'hj-confirm',
        'data-key': `${id}-submit`,
        'aria-describedby': waiting.id,
    });
    const refresh = () => {
        const now = blockers();
        button.disabled = Boolean(draft.busy) || now.length > 0;
        button.textContent = draft.busy ? '正在登记……' : draft.sent ? '重试' : label;
        waiting.replaceChildren(...now.map((sentence) => h('li', {}, sentence)));
    };
    refresh();
    return { foot: h('div', { className: 'hj-form-foot' }, button, ...more, waiting), refresh };
}

// Has a form do something when it is submitted and nothing is missing.
export function submitted(form, act) {
    form.addEventListener('submit', (event) => {
        event.preventDefault();
        if (!form.querySelector('[type=submit]').disabled) act();
    });
    return form;
}

export function faultOf({ title, lines }) {
    return h(
        'div',
        { className: 'hj-form-fault', role: 'alert' },
        h('p', { className: 'hj-strong' }, title),
        ...lines.map((line) => h('p', {}, line)),
    );
}

export function labelled(label, control, hint = '', more = null) {
    return h(
        'div',
        { className: control.matches('textarea, .hj-whole') ? 'hj-field hj-field-wide' : 'hj-field' },
        h('label', { htmlFor: control.id }, label),
        control,
        more,
        hint ? h('small', {}, hint) : null,
    );
}

function controlOf({ kind, options = [], min, max, most = 400 }, id, value = '') {
    const common = { id, 'data-key': id, value };
    if (kind === 'longtext') return h('textarea', { ...common, rows: 2, maxLength: most });
    if (kind === 'date') return h('input', { ...common, type: 'date', min, max });
    if (kind === 'integer' || kind === 'number') {
        return h('input', { ...common, type: 'number', min: 0, step: kind === 'integer' ? 1 : 'any' });
    }
    if (kind === 'word' || kind === 'boolean') {
        const choices = [{ value: '', label: '（未填）' }, ...(kind === 'boolean' ? YES_NO : options)];
        const select = h('select', { id, 'data-key': id });
        select.append(...choices.map((choice) => h('option', { value: choice.value }, choice.label)));
        select.value = value;
        return select;
    }
    const list = options.length ? `${id}-list` : undefined;
    return h('input', { ...common, type: 'text', maxLength: most, autocomplete: 'off', list });
}

// What a text field suggests; anything else may be typed.
function suggestionsOf({ kind, options = [] }, id) {
    if (kind !== 'string' || !options.length) return null;
    return h('datalist', { id: `${id}-list` }, ...options.map((value) => h('option', { value })));
}

function evidenceOf(form, task, draft, act, id) {
    const pick = h('input', {
        type: 'file',
        multiple: true,
        accept: task.endings.map((ending) => `.${ending}`).join(),
        id: `${id}-files`,
        'data-key': `${id}-files`,
        className: 'hj-file',
        disabled: draft.busy,
    });
    pick.addEventListener('change', () => {
        act.files([...pick.files]);
        pick.value = '';
    });
    const zone = h(
        'div',
        { className: 'hj-drop' },
        h('label', { htmlFor: pick.id }, '选择文件'),
        pick,
        h('span', {}, `或把文件拖到这里。${task.endings.join('、').toUpperCase()} 文件，每个不超过 ${sizeText(task.most_bytes)}。`),
    );
    for (const name of ['dragover', 'dragleave', 'drop']) {
        zone.addEventListener(name, (event) => {
            event.preventDefault();
            zone.classList.toggle('hj-over', name === 'dragover');
            if (name === 'drop' && !draft.busy) act.files([...event.dataTransfer.files]);
        });
    }
    const files = draft.evidence.map((file) => {
        const drop = h('button', { type: 'button', className: 'hj-link', disabled: draft.busy }, '去掉');
        drop.addEventListener('click', () => {
            draft.evidence = draft.evidence.filter((other) => other !== file);
            act.changed();
        });
        return h(
            'li',
            {},
            h('span', { className: 'hj-strong' }, file.name),
            h('small', {}, `${sizeText(file.bytes)}，${file.media_type || '类型不明'}，摘要 ${file.digest.slice(0, 12)}`),
            drop,
        );
    });
    return h(
        'fieldset',
        { className: 'hj-evidence' },
        h('legend', {}, '佐证材料'),
        zone,
        h(
            'ul',
            { 'aria-live': 'polite' },
            ...files,
            draft.uploading ? h('li', {}, `正在上传 ${draft.uploading} 个文件……`) : null,
            ...draft.refused.map((sentence) => h('li', { className: 'hj-refused' }, sentence)),
        ),
    );
}

function rowsOf(form, draft, bind, id) {
    return h(
        'fieldset',
        { className: 'hj-rows' },
        h('legend', {}, '可以更正的事实'),
        h('p', { className: 'hj-form-lead' }, '填写整改后的实际情况，没有变化的留空，带 * 的随同填写；销号后，下一次评估按更正后的事实计算。'),
        ...form.rows.map((row, at) =>
            h(
                'fieldset',
                { className: 'hj-row' },
                h('legend', {}, row.label),
                h(
                    'div',
                    { className: 'hj-form-fields' },
                    ...row.fields.map((field) =>
                        labelled(
                            [field.label, field.unit && `（${field.unit}）`, field.required && ' *'].filter(Boolean).join(''),
                            bind(controlOf(field, `${id}-${at}-${field.column}`, draft.rows[at][field.column]), (value) => {
                                draft.rows[at][field.column] = value;
                            }),
                        ),
                    ),
                ),
            ),
        ),
    );
}
