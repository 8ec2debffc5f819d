// The desk of the talent screen: what the organisation decides on the person who is open, for the post that is chosen.
//
// The kernel tells what there is to decide and has no right to record it: a decision goes from here to the server,
// which knows who is logged in and whether it departs from the advice. What was typed stays until it has been taken.
// People stand here under the names that the account may see and go out under their pseudonyms, in the body alone.

import { h, redraw } from './dom.js';
import { faultOf } from './form.js';
import { decide, uuid } from './post.js';
import { save } from './save.js';

const LOOK_AGAIN = 20000; // ms between two looks for what others have decided
const KNOWN = new Set(['refused', 'clash']); // answers after which nothing of a decision has been recorded
const STALE = { title: '别人刚刚对这个岗位登记了决定，请核对后再提交。', lines: ['填写的内容都还在，上面是现在的情况。'] };
const LONGEST = 2000;

class Desk {
    constructor(model, root) {
        this.model = model;
        this.box = root.appendChild(h('div', { className: 'hj-panel-body', role: 'region', 'aria-label': '决定' }));
        this.drafts = new Map(); // by post and person
        this.task = {};
        this.done = '';
        this.note = null;

        this.handlers = {
            'change:task': () => this.take(),
            'msg:custom': (content, buffers) => content?.save && save(content, buffers[0]),
        };
        for (const [event, handler] of Object.entries(this.handlers)) model.on(event, handler);
        this.look = () => document.visibilityState === 'visible' && this.tell('look');
        this.looking = setInterval(this.look, LOOK_AGAIN);
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
        if (!task.person) return redraw(this.box, []);
        const parts = [h('h2', {}, '组织决定', h('small', {}, task.about))];
        if (this.done) parts.push(h('p', { className: 'hj-done', role: 'status' }, this.done));
        if (this.note) parts.push(faultOf(this.note));
        parts.push(task.may ? this.form() : h('p', { className: 'hj-lead' }, task.nothing));
        redraw(this.box, parts);
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
        document.removeEventListener('keydown', this.escape);
        for (const [event, handler] of Object.entries(this.handlers)) this.model.off(event, handler);
        this.box.remove();
    }
}

function keyOf({ unit_code: unit, post, person }) {
    return `${unit}/${post}/${person}`;
}

function field(label, control) {
    const wide = control.tagName === 'TEXTAREA' ? 'hj-field hj-field-wide' : 'hj-field';
    return h('div', { className: wide }, h('label', { htmlFor: control.id }, label), control);
}

function render({ model, el: root }) {
    const desk = new Desk(model, root);
    return () => desk.remove();
}

export default { render };
