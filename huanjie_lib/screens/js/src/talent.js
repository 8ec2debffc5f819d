// The desk of the talent screen: what the organisation decides on the person who is open, for the post that is chosen.
//
// The kernel tells what there is to decide and has no right to record it: a decision goes from here to the server,
// which knows who is logged in and whether it departs from the advice. What was typed stays until it has been taken.
// People stand here under the names that the account may see and go out under their pseudonyms, in the body alone.
// A full name is asked of the server for a reason and shown here for a minute; the kernel never learns it.

import { h, redraw } from './dom.js';
import { faultOf } from './form.js';
import { decide, fileOf, nameOf, uuid } from './post.js';
import { save } from './save.js';

const LOOK_AGAIN = 20000; // ms between two looks for what others have decided
const KNOWN = new Set(['refused', 'clash']); // answers after which nothing of a decision has been recorded
const STALE = { title: '别人刚刚对这个岗位登记了决定，请核对后再提交。', lines: ['填写的内容都还在，上面是现在的情况。'] };
const LONGEST = 2000;
const SHOWN = 60000; // ms that a full name stays on the page
const SHORTEST_REASON = 4;
const LONGEST_REASON = 200;

class Desk {
    constructor(model, root) {
        this.model = model;
        this.box = root.appendChild(h('div', { className: 'hj-panel-body', role: 'region', 'aria-label': '决定' }));
        this.drafts = new Map(); // by post and person
        this.look = null; // what is asked about the name of the person who is open
        this.task = {};
        this.done = '';
        this.note = null;

        this.handlers = {
            'change:task': () => this.take(),
            'msg:custom': (content, buffers) => {
                if (content?.save) save(content, buffers[0]);
                else if (content?.file) this.fetch(content);
            },
        };
        for (const [event, handler] of Object.entries(this.handlers)) model.on(event, handler);
        const again = () => document.visibilityState === 'visible' && this.tell('look');
        this.looking = setInterval(again, LOOK_AGAIN);
        this.escape = ({ key }) => key === 'Escape' && this.tell('close');
        document.addEventListener('keydown', this.escape);
        this.take();
    }

    tell(action, value = '') {
        this.model.send({ action, value });
    }

    // Another person or post, or the same after something has been decided.
    take() {
        const before = this.task;
        this.task = this.model.get('task');
        if (keyOf(before) !== keyOf(this.task)) {
            this.done = '';
            this.note = null;
            this.fault = null;
            if (before.person !== this.task.person) this.hide();
        } else if (this.task.expected > before.expected && !this.awaited && this.draft.touched) {
            this.note = STALE;
        }
        this.awaited = false;
        this.draw();
    }

    get draft() {
        const key = keyOf(this.task);
        if (!this.drafts.has(key)) this.drafts.set(key, { choice: '', instead: '', reason: '', touched: false, sent: null });
        return this.drafts.get(key);
    }

    // What is still missing, as sentences.
    blockers() {
        const { choice, instead, reason } = this.draft;
        if (!choice) return ['请选择采纳、改选或不采纳。'];
        const found = [];
        if (choice === 'change' && !instead) found.push('请选择改选的人员。');
        if (this.departs() && !reason.trim()) found.push(`${this.label(choice)}与建议不同，请写明理由。`);
        return found;
    }

    departs() {
        return this.draft.choice !== 'accept' || !this.task.advised;
    }

    label(choice) {
        return this.task.choices.find(({ value }) => value === choice).label;
    }

    draw() {
        const { task } = this;
        const parts = [];
        if (this.fault) parts.push(faultOf(this.fault));
        if (task.person) parts.push(this.name());
        if (task.choices) {
            parts.push(h('h2', {}, '组织决定', h('small', {}, task.about)));
            if (this.done) parts.push(h('p', { className: 'hj-done', role: 'status' }, this.done));
            if (this.note) parts.push(faultOf(this.note));
            parts.push(task.may ? this.form() : h('p', { className: 'hj-lead' }, task.nothing));
        }
        redraw(this.box, parts);
    }

    // The name itself: who asks says why, and is told that it is recorded.
    name() {
        const { may, nothing } = this.task.name;
        const label = { className: 'hj-look', 'aria-label': '查看原文' };
        if (!may) return h('p', { ...label, className: 'hj-look hj-lead' }, nothing);
        const look = this.look;
        if (!look) {
            const open = h('button', { type: 'button', className: 'hj-more-button', 'data-key': 'look' }, '查看原文');
            open.addEventListener('click', () => {
                this.look = { reason: '', sent: null };
                this.draw();
                this.box.querySelector('#hj-look-reason').focus();
            });
            return h('section', label, open, h('small', {}, '显示完整姓名；须写明事由，并记入查阅日志'));
        }
        const close = h('button', { type: 'button', className: 'hj-more-button', 'data-key': 'look-hide' }, look.name ? '隐藏' : '取消');
        close.addEventListener('click', () => {
            this.hide();
            this.draw();
        });
        if (look.name) {
            const told = h('p', { role: 'status' }, '姓名：', h('strong', { className: 'hj-full-name' }, look.name));
            return h('section', label, told, close, h('small', {}, '已记入查阅日志，一分钟后自动隐藏'));
        }
        const reason = h('input', {
            type: 'text',
            id: 'hj-look-reason',
            'data-key': 'look-reason',
            maxLength: LONGEST_REASON,
            autocomplete: 'off',
            value: look.reason,
            disabled: Boolean(look.busy),
            placeholder: '如：电话通知本人参加考察；不要写姓名和号码',
        });
        const show = h('button', { type: 'submit', className: 'hj-confirm', 'data-key': 'look-show' });
        const waiting = h('ul', { className: 'hj-blockers', id: 'hj-look-blockers' });
        const refresh = () => {
            const short = look.reason.trim().length < SHORTEST_REASON;
            show.disabled = Boolean(look.busy) || short;
            show.textContent = look.busy ? '正在登记……' : look.sent ? '重试' : '显示姓名';
            waiting.replaceChildren(...(short ? [h('li', {}, `请写明事由，不少于 ${SHORTEST_REASON} 个字。`)] : []));
        };
        reason.addEventListener('input', () => {
            look.reason = reason.value;
            refresh();
        });
        const form = h(
            'form',
            { className: 'hj-form', noValidate: true },
            h('div', { className: 'hj-form-fields' }, field('查看事由', reason, true)),
            look.fault ? faultOf(look.fault) : null,
            h('div', { className: 'hj-form-foot' }, show, close, waiting),
        );
        form.addEventListener('submit', (event) => {
            event.preventDefault();
            if (!show.disabled) this.ask();
        });
        refresh();
        return h('section', label, form);
    }

    async ask() {
        const look = this.look;
        const wanted = { person_ref: this.task.person, reason: look.reason.trim() };
        const { entry_id: sent, ...before } = look.sent ?? {};
        const same = sent && JSON.stringify(before) === JSON.stringify(wanted);
        look.sent = { entry_id: same ? sent : uuid(), ...wanted };
        look.busy = true;
        look.fault = null;
        this.draw();

        const reply = await nameOf(look.sent);
        if (this.look !== look) return; // another person is open, or nobody
        look.busy = false;
        if (reply.ok) {
            look.name = reply.name;
            this.hiding = setTimeout(() => {
                this.hide();
                this.draw();
            }, SHOWN);
        } else {
            if (KNOWN.has(reply.code)) look.sent = null;
            look.fault = reply;
        }
        this.draw();
    }

    hide() {
        clearTimeout(this.hiding);
        this.look = null;
    }

    // A file that the server makes and hands out once the access log has it.
    async fetch({ file, name, media_type: type }) {
        const reply = await fileOf({ what: file, entry_id: uuid() });
        this.fault = reply.ok ? null : reply;
        if (reply.ok) save({ save: name, media_type: type }, reply.bytes);
        this.draw();
    }

    form() {
        const { draft, task } = this;
        const waiting = h('ul', { className: 'hj-blockers', id: 'hj-decide-blockers' });
        const button = h('button', {
            type: 'submit',
            className: 'hj-confirm',
            'data-key': 'decide-submit',
            'aria-describedby': waiting.id,
        });
        const refresh = () => {
            const now = this.blockers();
            button.disabled = Boolean(draft.busy) || now.length > 0;
            button.textContent = draft.busy ? '正在登记……' : draft.sent ? '重试' : '登记决定';
            waiting.replaceChildren(...now.map((sentence) => h('li', {}, sentence)));
        };
        const set = (name, value) => {
            draft[name] = value;
            draft.touched = true;
        };
        const choices = task.choices.map(({ value, label }) => {
            const choice = h(
                'button',
                {
                    type: 'button',
                    disabled: Boolean(draft.busy),
                    'data-key': `decide-${value}`,
                    'aria-pressed': String(draft.choice === value),
                },
                label,
            );
            choice.addEventListener('click', () => {
                set('choice', value);
                this.draw();
            });
            return choice;
        });
        const parts = [h('div', { className: 'hj-acts', role: 'group', 'aria-label': '决定' }, ...choices)];
        const fields = [];
        if (draft.choice === 'change') {
            const others = [{ ref: '', name: '（请选择）' }, ...task.others];
            const select = h('select', { id: 'hj-decide-instead', 'data-key': 'decide-instead', disabled: Boolean(draft.busy) });
            select.append(...others.map(({ ref, name }) => h('option', { value: ref }, name)));
            select.value = draft.instead;
            select.addEventListener('input', () => {
                set('instead', select.value);
                refresh();
            });
            fields.push(field('改选人员', select));
        }
        if (draft.choice) {
            const reason = h('textarea', {
                id: 'hj-decide-reason',
                'data-key': 'decide-reason',
                rows: 2,
                maxLength: LONGEST,
                value: draft.reason,
                disabled: Boolean(draft.busy),
                placeholder: '不要写姓名和身份证号',
            });
            reason.addEventListener('input', () => {
                set('reason', reason.value);
                refresh();
            });
            fields.push(field(this.departs() ? '理由' : '理由（可不填）', reason));
        }
        if (fields.length) parts.push(h('div', { className: 'hj-form-fields' }, ...fields));
        if (draft.fault) parts.push(faultOf(draft.fault));
        parts.push(h('div', { className: 'hj-form-foot' }, button, waiting));
        const form = h('form', { className: 'hj-form', noValidate: true, 'aria-label': '登记决定' }, ...parts);
        form.addEventListener('submit', (event) => {
            event.preventDefault();
            if (!button.disabled) this.submit();
        });
        refresh();
        return form;
    }

    async submit() {
        const { draft, task } = this;
        const key = keyOf(task);
        const wanted = {
            talent_run: task.run,
            unit_code: task.unit_code,
            post: task.post,
            person_ref: task.person,
            choice: draft.choice,
            instead_ref: draft.choice === 'change' ? draft.instead : '',
            reason: draft.reason.trim(),
            expected: task.expected,
        };
        // What may have arrived is repeated under its id; anything else is another decision.
        const { decision_id: sent, ...before } = draft.sent ?? {};
        const same = sent && JSON.stringify(before) === JSON.stringify(wanted);
        draft.sent = { decision_id: same ? sent : uuid(), ...wanted };
        draft.busy = true;
        draft.fault = null;
        this.done = '';
        this.note = null;
        this.draw();

        const reply = await decide(draft.sent);
        draft.busy = false;
        if (reply.ok) {
            this.drafts.delete(key);
            this.awaited = true;
            this.done = `${task.choices.find(({ value }) => value === wanted.choice).label}已登记。`;
        } else if (reply.code === 'stale') {
            draft.sent = null;
            this.note = STALE;
            this.awaited = true;
        } else {
            if (KNOWN.has(reply.code)) draft.sent = null;
            draft.fault = reply;
        }
        this.draw();
        if (reply.ok || reply.code === 'stale') this.tell('written');
    }

    remove() {
        clearInterval(this.looking);
        this.hide();
        document.removeEventListener('keydown', this.escape);
        for (const [event, handler] of Object.entries(this.handlers)) this.model.off(event, handler);
        this.box.remove();
    }
}

function keyOf({ unit_code: unit, post, person }) {
    return `${unit}/${post}/${person}`;
}

function field(label, control, broad = control.tagName === 'TEXTAREA') {
    const wide = broad ? 'hj-field hj-field-wide' : 'hj-field';
    return h('div', { className: wide }, h('label', { htmlFor: control.id }, label), control);
}

function render({ model, el: root }) {
    const desk = new Desk(model, root);
    return () => desk.remove();
}

export default { render };
