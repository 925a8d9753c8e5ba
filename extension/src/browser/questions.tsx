import type { TranslationBundle } from '@jupyterlab/translation';
import { useEffect, useRef, useState, type ReactElement } from 'react';

import type { Question } from '../api/types';
import { formOf, parsed, shown, type AnswerForm } from './answer';
import { Literal } from '../literal';
import type { BrowserModel } from './model';

interface Parts {
  readonly model: BrowserModel;
  readonly trans: TranslationBundle;
}

/** What runs wait for; each is answered where it stands, and a worker goes on with the run. */
export function Questions({ model, trans }: Parts): ReactElement | null {
  const { questions } = model.state;
  if (!questions.length) {
    return null;
  }
  return (
    <section className="pslb-questions" aria-label={trans.__('Questions')}>
      <h2>
        {trans.__('Waiting for you')}
        <span className="pslb-count">{questions.length}</span>
      </h2>
      {questions.map(question => (
        <Asked key={question.question_id} question={question} model={model} trans={trans} />
      ))}
    </section>
  );
}

function Asked({ question, model, trans }: Parts & { question: Question }): ReactElement {
  const [written, write] = useState('');
  const [wrong, tell] = useState('');
  const [isBusy, setBusy] = useState(false);
  const form = formOf(question.schema);
  const name = question.prompt ?? trans.__('What is the answer?');

  const answer = async (value: unknown): Promise<void> => {
    setBusy(true);
    tell(await model.answer(question, value));
    setBusy(false);
  };
  const submit = (): void => {
    const found = parsed(form, written);
    if ('wrong' in found) {
      tell(trans.__(found.wrong));
    } else {
      void answer(found.value);
    }
  };
  return (
    <form
      className="pslb-question"
      aria-label={name}
      aria-busy={isBusy}
      onSubmit={event => {
        event.preventDefault();
        submit();
      }}
    >
      <p className="pslb-asks">
        <Literal text={name} />
      </p>
      <p className="pslb-from">
        <Literal text={[question.flow, question.path, question.node].filter(Boolean).join(' · ')} />
      </p>
      {question.value !== null && (
        <pre tabIndex={0} aria-label={trans.__('What it is about')}>
          <Literal text={shown(question.value)} />
        </pre>
      )}
      <Field
        form={form}
        written={written}
        isBusy={isBusy}
        trans={trans}
        onWrite={write}
        onPick={value => void answer(value)}
      />
      {wrong && <Refused text={wrong} />}
    </form>
  );
}

/** Why an answer was refused, brought into view: it may lie below what the sidebar shows. */
function Refused({ text }: { text: string }): ReactElement {
  const place = useRef<HTMLParagraphElement>(null);
  useEffect(() => {
    // Some browsers return a promise here, which React would take for something to call.
    place.current?.scrollIntoView({ block: 'nearest' });
  }, [text]);
  return (
    <p ref={place} className="pslb-refused" role="alert">
      <Literal text={text} />
    </p>
  );
}

interface FieldProps {
  readonly form: AnswerForm;
  readonly written: string;
  readonly isBusy: boolean;
  readonly trans: TranslationBundle;
  readonly onWrite: (text: string) => void;
  readonly onPick: (value: unknown) => void;
}

function Field({ form, written, isBusy, trans, onWrite, onPick }: FieldProps): ReactElement {
  if (form.kind === 'choice') {
    return (
      <div className="pslb-choices">
        {form.options.map((option, index) => (
          <button
            key={index}
            type="button"
            className="pslb-second"
            disabled={isBusy}
            onClick={() => onPick(option)}
          >
            <Literal text={worded(option, trans)} />
          </button>
        ))}
      </div>
    );
  }
  const label = trans.__('Answer');
  return (
    <div className="pslb-write">
      {form.kind === 'number' ? (
        <input
          type="text"
          inputMode="decimal"
          aria-label={label}
          value={written}
          onChange={event => onWrite(event.target.value)}
        />
      ) : (
        <textarea
          rows={2}
          aria-label={label}
          className={form.kind === 'json' ? 'pslb-code' : ''}
          value={written}
          onChange={event => onWrite(event.target.value)}
        />
      )}
      <button type="submit" className="pslb-main" disabled={isBusy}>
        {label}
      </button>
    </div>
  );
}

function worded(option: unknown, trans: TranslationBundle): string {
  if (typeof option === 'boolean') {
    return option ? trans.__('Yes') : trans.__('No');
  }
  return shown(option);
}
