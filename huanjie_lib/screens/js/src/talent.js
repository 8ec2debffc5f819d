// The desk of the talent screen: what the organisation decides on the person who is open, for the post that is chosen.
//
// The kernel tells what there is to decide and has no right to record it: a decision goes from here to the server,
// which knows who is logged in and whether it departs from the advice. What was typed stays until it has been taken.
// People stand here under the names that the account may see and go out under their pseudonyms, in the body alone.
// A full name is asked of the server for a reason and shown here for a minute; the kernel never learns it.

import { Desk, choicesOf, widgetOf } from './desk.js';
import { h } from './dom.js';
import { faultOf, footOf, labelled, submitted } from './form.js';
import { decide, fileOf, nameOf, uuid } from './post.js';
import { save } from './save.js';

const STALE = { title: '别人刚刚登记了有关的决定，请核对后再提交。', lines: ['填写的内容都还在，上面是现在的情况。'] };
const LONGEST = 2000;
const SHOWN = 60000; // ms that a full name stays on the page
const SHORTEST_REASON = 4;
const LONGEST_REASON = 200;

class Decisions extends Desk {
    constructor(model, root) {
        super(model, root, '决定');
        this.asked = null; // what is asked about the name of the person who is open
        this.fault = null; // why a file was not handed out
        this.take();
    }

    hear(content) {
        if (content.file) this.fetch(content);
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
        } else if (this.version > before.expected && !this.awaited && this.draft.touched && !this.draft.busy) {
            this.note = STALE;
        }
        this.awaited = false;
        this.draw();
    }

    get place() {
        return keyOf(this.task);
    }

    get version() {
        return this.task.expected;
    }

    get draft() {
        return this.kept(this.place, () => ({ choice: '', instead: '', reason: '', touched: false, sent: null }));
    }

    // What is still missing, as sentences.
    blockers() {
        const { choice, instead, reason } = this.draft;
        if (!choice) return ['请选择采纳、改选或不采纳。'];
        const found = [];
        if (choice === 'change' && !instead) found.push('请选择改选的人员。');
        if (!reason.trim()) {
            if (this.departs()) found.push(`${this.label(choice)}与建议不同，请写明理由。`);
            else if (this.held().length) found.push('一人被采纳到两个岗位，请写明理由。');
        }
        return found;
    }

    // The other posts for which whoever is taken stands accepted.
    held() {
        const { choice, instead } = this.draft;
        if (choice === 'accept') return this.task.held;
        return this.task.others.find(({ ref }) => choice === 'change' && ref === instead)?.held ?? [];
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
            parts.push(...this.told(faultOf));
            parts.push(task.may ? this.form() : h('p', { className: 'hj-lead' }, task.nothing));
        }
        this.show(parts);
    }

    // The name itself: who asks says why, and is told that it is recorded.
    name() {
        const { may, nothing } = this.task.name;
        const label = { className: 'hj-look', 'aria-label': '查看原文' };
        if (!may) return h('p', { ...label, className: 'hj-look hj-lead' }, nothing);
        const look = this.asked;
        if (!look) {
            const open = h('button', { type: 'button', className: 'hj-more-button', 'data-key': 'look' }, '查看原文');
            open.addEventListener('click', () => {
                this.asked = { reason: '', sent: null };
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
            className: 'hj-whole',
            'data-key': 'look-reason',
            maxLength: LONGEST_REASON,
            autocomplete: 'off',
            value: look.reason,
            disabled: Boolean(look.busy),
            placeholder: '如：电话通知本人参加考察；不要写姓名和号码',
        });
        const short = () => look.reason.trim().length < SHORTEST_REASON;
        const missing = () => (short() ? [`请写明事由，不少于 ${SHORTEST_REASON} 个字。`] : []);
        const { foot, refresh } = footOf('hj-look', look, '显示姓名', missing, close);
        reason.addEventListener('input', () => {
            look.reason = reason.value;
            refresh();
        });
        const form = h(
            'form',
            { className: 'hj-form', noValidate: true },
            h('div', { className: 'hj-form-fields' }, labelled('查看事由', reason)),
            look.fault ? faultOf(look.fault) : null,
            foot,
        );
        return h('section', label, submitted(form, () => this.ask()));
    }

    async ask() {
        const look = this.asked;
        const wanted = { person_ref: this.task.person, reason: look.reason.trim() };
        const reply = await this.send(look, wanted, 'entry_id', nameOf);
        if (this.asked !== look) return; // another person is open, or nobody
        if (reply.ok) {
            look.name = reply.name;
            const away = () => {
                this.hide();
                this.draw();
            };
            this.hiding = setTimeout(() => this.press.when(away), SHOWN);
        }
        this.draw();
    }

    hide() {
        clearTimeout(this.hiding);
        this.asked = null;
    }

    // A file that the server makes and hands out once the access log has it.
    async fetch({ file, name, media_type: type }) {
        const reply = await fileOf('talent/file', { what: file, entry_id: uuid() });
        await this.press.over();
        this.fault = reply.ok ? null : reply;
        if (reply.ok) save(name, type, reply.bytes);
        this.draw();
    }

    form() {
        const { draft, task } = this;
        const { foot, refresh } = footOf('hj-decide', draft, '登记决定', () => this.blockers());
        const set = (name, value) => {
            draft[name] = value;
            draft.touched = true;
        };
        const choices = task.choices.map((choice) => ({ ...choice, disabled: Boolean(draft.busy) }));
        const pick = (value) => {
            set('choice', value);
            this.draw();
        };
        const parts = [choicesOf('决定', choices, draft.choice, pick)];
        const fields = [];
        if (draft.choice === 'change') {
            const others = [{ ref: '', name: '（请选择）' }, ...task.others];
            const select = h('select', { id: 'hj-decide-instead', 'data-key': 'decide-instead', disabled: Boolean(draft.busy) });
            select.append(...others.map(({ ref, name }) => h('option', { value: ref }, name)));
            select.value = draft.instead;
            select.addEventListener('input', () => {
                set('instead', select.value);
                this.draw();
            });
            fields.push(labelled('改选人员', select));
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
            const held = this.held();
            if (held.length) parts.push(faultOf(heldFault(held)));
            fields.push(labelled(this.departs() || held.length ? '理由' : '理由（可不填）', reason));
        }
        if (fields.length) parts.push(h('div', { className: 'hj-form-fields' }, ...fields));
        if (draft.fault) parts.push(faultOf(draft.fault));
        const form = h('form', { className: 'hj-form', noValidate: true, 'aria-label': '登记决定' }, ...parts, foot);
        return submitted(form, () => this.record());
    }

    async record() {
        const { draft, task } = this;
        const wanted = {
            talent_run: task.run,
            unit_code: task.unit_code,
            post: task.post,
            person_ref: task.person,
            choice: draft.choice,
            instead_ref: draft.choice === 'change' ? draft.instead : '',
            reason: draft.reason.trim(),
            expected: task.expected,
            held: this.held().length,
        };
        const done = `${this.label(wanted.choice)}已登记。`;
        const reply = await this.submit(this.place, wanted, { id: 'decision_id', post: decide, done, stale: STALE });
        if (reply.code === 'refused') this.tell('look'); // what others have decided meanwhile may be why
    }

    remove() {
        this.hide();
        super.remove();
    }
}

function heldFault(posts) {
    return {
        title: `此人已被采纳到${posts.join('、')}。`,
        lines: ['一人一般只任一个岗位：请先在那个岗位改选或不采纳；确需兼任的（如书记、主任一肩挑），在下面写明理由。'],
    };
}

function keyOf({ unit_code: unit, post, person }) {
    return `${unit}/${post}/${person}`;
}

export default widgetOf(Decisions);
