import {
  useEffect,
  useId,
  useMemo,
  useRef,
  useState,
  type KeyboardEvent,
  type ReactElement
} from 'react';

import { Literal } from '../literal';
import { accent, useEditor } from './editor';
import { Icon } from './icons';

export interface Choice {
  readonly id: string;
  readonly title: string;
  readonly detail: string;
  readonly icon: string;
  readonly accent?: string | undefined;
}

interface PickerProps {
  readonly title: string;
  readonly choices: readonly Choice[];
  /** Where on the stage it opens. */
  readonly at: { readonly x: number; readonly y: number };
  readonly none: string;
  readonly onPick: (id: string) => void;
  readonly onClose: () => void;
}

const WIDTH = 280;
const HEIGHT = 320;

/** A short list to search: kinds at the pointer, nodes to go to, ports to connect with. */
export function Picker(props: PickerProps): ReactElement {
  const { t } = useEditor();
  const [wanted, setWanted] = useState('');
  const [chosen, setChosen] = useState(0);
  const box = useRef<HTMLDivElement>(null);
  const list = useId();
  const found = useMemo(() => matching(props.choices, wanted), [props.choices, wanted]);
  const at = Math.min(chosen, Math.max(found.length - 1, 0));
  useEffect(() => {
    box.current?.querySelector('input')?.focus({ preventScroll: true });
  }, []);
  useEffect(() => {
    // `scrollIntoView` would scroll the notebook as well.
    const option = box.current?.querySelector<HTMLElement>('[aria-selected="true"]');
    const frame = option?.parentElement;
    if (option && frame) {
      const above = option.offsetTop - frame.scrollTop;
      if (above < 0 || above + option.offsetHeight > frame.clientHeight) {
        frame.scrollTop = option.offsetTop - frame.clientHeight / 2;
      }
    }
  }, [at, found]);
  const onKeyDown = (event: KeyboardEvent): void => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      setChosen((at + step + found.length) % Math.max(found.length, 1));
    } else if (event.key === 'Enter') {
      event.preventDefault();
      const choice = found[at];
      if (choice) {
        props.onPick(choice.id);
      }
    } else if (event.key === 'Escape' || event.key === 'Tab') {
      event.preventDefault();
      props.onClose();
    }
    event.stopPropagation();
  };
  const stage = box.current?.parentElement?.getBoundingClientRect();
  const left = Math.max(8, Math.min(props.at.x, (stage?.width ?? Infinity) - WIDTH - 8));
  const top = Math.max(8, Math.min(props.at.y, (stage?.height ?? Infinity) - HEIGHT - 8));
  return (
    <div
      ref={box}
      className="psl-picker"
      role="dialog"
      aria-label={props.title}
      style={{ left, top, width: WIDTH, maxHeight: HEIGHT }}
      onKeyDown={onKeyDown}
      // A press on the canvas takes the keys, and a list without them closes.
      onPointerDown={event => event.stopPropagation()}
      onBlur={event => {
        if (!event.currentTarget.contains(event.relatedTarget)) {
          props.onClose();
        }
      }}
    >
      <label className="psl-search">
        <Icon name="search" size={14} />
        <input
          role="combobox"
          aria-expanded="true"
          aria-controls={list}
          aria-activedescendant={found.length ? `${list}-${at}` : undefined}
          aria-label={props.title}
          placeholder={props.title}
          spellCheck={false}
          value={wanted}
          onChange={event => {
            setWanted(event.target.value);
            setChosen(0);
          }}
        />
      </label>
      {found.length ? (
        <ul id={list} role="listbox" aria-label={props.title}>
          {found.map((choice, index) => (
            <li
              key={choice.id}
              id={`${list}-${index}`}
              role="option"
              aria-selected={index === at}
              style={accent(choice.accent)}
              onPointerMove={() => setChosen(index)}
              onPointerDown={event => event.preventDefault()}
              onClick={() => props.onPick(choice.id)}
            >
              <span className="psl-tile">
                <Icon name={choice.icon} />
              </span>
              <span className="psl-choice">
                <b>
                  <Literal text={choice.title} />
                </b>
                <span>
                  <Literal text={choice.detail} />
                </span>
              </span>
            </li>
          ))}
        </ul>
      ) : (
        <div id={list} className="psl-muted psl-none">
          {props.choices.length ? t('Nothing is called that.') : props.none}
        </div>
      )}
    </div>
  );
}

/** What answers to a wish; what begins with it comes first. */
export function matching(choices: readonly Choice[], wanted: string): readonly Choice[] {
  const wish = wanted.trim().toLowerCase();
  if (!wish) {
    return choices;
  }
  const rank = ({ title, detail }: Choice): number => {
    const at = title.toLowerCase().indexOf(wish);
    return at === 0 ? 0 : at > 0 ? 1 : detail.toLowerCase().includes(wish) ? 2 : 3;
  };
  return choices.filter(choice => rank(choice) < 3).sort((one, other) => rank(one) - rank(other));
}
