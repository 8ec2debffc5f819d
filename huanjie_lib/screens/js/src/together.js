// Dispatching many cases at once: which of them, to whom, until when, and what became of each.
//
// Every case is an event of its own under an id of its own. What may have arrived is asked again under the same ids,
// so that nothing is recorded twice; what was refused stays ticked off, with its reason beside it.

import { h } from './dom.js';
import { Draft, faultOf, formOf } from './form.js';
import { dispatch, uuid } from './post.js';

export class Together extends Draft {
    constructor(task) {
        super(task.form, task.today);
        this.about = task.together.about;
        this.chosen = new Set(task.together.cases.map(({ case_id: id }) => id));
        this.ids = new Map(); // event id by what is asked of a case, for what may have arrived
        this.failed = new Map(); // reply by case
        this.passed = 0;
    }

    blockers(form, task) {
        const found = super.blockers(form, task);
        if (!this.chosen.size) found.unshift('请至少勾选一件案件。');
        return found;
    }

    // What is asked of the cases that are ticked, each under the id that it has been asked under before.
    actions({ form, together }) {
        return together.cases
            .filter(({ case_id: id }) => this.chosen.has(id))
            .map(({ case_id, version: expected_version }) => {
                const wanted = {
                    case_id,
                    event: form.event,
                    happened_on: this.happenedOn,
                    expected_version,
                    payload: this.payload(form),
                };
                const key = JSON.stringify(wanted);
                if (!this.ids.has(key)) this.ids.set(key, uuid());
                return { event_id: this.ids.get(key), ...wanted };
            });
    }

    async send(task, draw) {
        this.busy = true;
        this.fault = null;
        this.failed.clear();
        draw();
        const reply = await dispatch({ actions: this.actions(task) });
        this.busy = false;
        this.sent = reply.ok ? null : true; // asked again, the same ids go out
        if (!reply.ok) this.fault = reply;
        const names = new Map(task.together.cases.map((one) => [one.case_id, one]));
        const results = reply.results ?? [];
        this.passed = results.filter(({ ok }) => ok).length;
        for (const result of results) {
            this.chosen.delete(result.case_id);
            if (!result.ok) this.failed.set(result.case_id, { ...names.get(result.case_id), ...result, why: result.title });
        }
        return reply;
    }
}

export function togetherOf(task, draft, act) {
    const { cases, total } = task.together;
    const { form } = task;
    if (!cases.length) {
        return [...resultsOf(draft), h('p', { className: 'hj-lead' }, '按现在的筛选条件，没有等待派单、本账号可以派的案件。')];
    }
    const all = h('input', { type: 'checkbox', id: 'hj-together-all', 'data-key': 'together-all', disabled: draft.busy });
    const said = h('label', { htmlFor: all.id });
    const boxes = cases.map(({ case_id: id, mark, title, unit, township }) => {
        const box = h('input', { type: 'checkbox', id: `hj-together-${id}`, 'data-key': `together-${id}`, disabled: draft.busy });
        box.checked = draft.chosen.has(id);
        box.addEventListener('change', () => {
            if (box.checked) draft.chosen.add(id);
            else draft.chosen.delete(id);
            draft.touched = true;
            tell();
        });
        const label = h('label', { htmlFor: box.id }, h('b', { className: 'hj-kind' }, mark), h('strong', {}, unit), ` ${township}　${title}`);
        return { box, id, row: h('li', {}, box, label) };
    });
    const fields = formOf(form, task, draft, act);
    const tell = () => {
        const chosen = boxes.filter(({ id }) => draft.chosen.has(id)).length;
        all.checked = chosen === boxes.length;
        all.indeterminate = chosen > 0 && !all.checked;
        said.textContent = `全选所列 ${boxes.length} 件，已勾选 ${chosen} 件`;
        fields.dispatchEvent(new Event('recheck'));
    };
    all.addEventListener('change', () => {
        for (const { box, id } of boxes) {
            box.checked = all.checked;
            if (all.checked) draft.chosen.add(id);
            else draft.chosen.delete(id);
        }
        draft.touched = true;
        tell();
    });
    tell();
    const more = total > cases.length ? `符合筛选条件的共 ${total} 件，一次最多派 ${cases.length} 件；派出后接着列其余的。` : '';
    return [
        ...resultsOf(draft),
        h('div', { className: 'hj-together-all' }, all, said, more ? h('small', {}, more) : null),
        h('ul', { className: 'hj-together', tabIndex: 0, 'aria-label': '等待派单的案件', 'data-scroll': 'together' }, ...boxes.map(({ row }) => row)),
        fields,
    ];
}

// What has become of the cases sent last.
function resultsOf({ passed, failed, busy }) {
    if (busy || !(passed || failed.size)) return [];
    const told = passed ? [h('p', { className: 'hj-done', role: 'status' }, `已派单 ${passed} 件。`)] : [];
    if (!failed.size) return told;
    const reasons = [...failed.values()].map(({ unit, title, why, lines = [] }) => `${unit ?? ''} ${title ?? ''}：${[why, ...lines].join('')}`);
    return [...told, faultOf({ title: `${failed.size} 件没有派出，原因如下；需要时重新勾选后再派。`, lines: reasons })];
}
