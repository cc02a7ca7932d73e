/** The small pieces everything is made of: buttons, a copy button, a refusal, hidden text. */
import { type ButtonHTMLAttributes, type ReactNode, useEffect, useState } from 'react';
import { copy } from '../clipboard';
import { Icon, type IconName } from './icons';

interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  icon?: IconName;
  look?: 'plain' | 'primary' | 'quiet' | 'danger';
  /** Shown to everyone when true, else to screen readers and as a tooltip. */
  labelled?: boolean;
  label: string;
}

export function Button({ icon, look = 'plain', labelled, label, ...rest }: ButtonProps) {
  const text = labelled ?? !icon;
  return (
    <button
      type="button"
      className={`wb-button wb-button-${look}${text ? '' : ' wb-button-icon'}`}
      aria-label={text ? undefined : label}
      title={text ? undefined : label}
      {...rest}
    >
      {icon && <Icon name={icon} />}
      {text && <span>{label}</span>}
    </button>
  );
}

/** Copies what `text` gives (now or when it arrives) and says whether that worked. */
export function CopyButton({
  text,
  label,
  labelled,
  testid
}: {
  text: () => string | null | Promise<string | null>;
  label: string;
  labelled?: boolean;
  testid?: string;
}) {
  const [state, setState] = useState<'idle' | 'done' | 'failed'>('idle');
  useEffect(() => {
    if (state === 'idle') {
      return;
    }
    const timer = setTimeout(() => setState('idle'), 1800);
    return () => clearTimeout(timer);
  }, [state]);
  const act = async () => {
    const value = await text();
    setState(value !== null && (await copy(value)) ? 'done' : 'failed');
  };
  const words = { idle: label, done: 'Copied', failed: 'Could not copy' }[state];
  return (
    <Button
      icon={state === 'done' ? 'done' : state === 'failed' ? 'alert' : 'copy'}
      label={words}
      labelled={labelled ?? false}
      look={labelled ? 'plain' : 'quiet'}
      data-testid={testid}
      onClick={() => void act()}
    />
  );
}

export function Hidden({ children }: { children: ReactNode }) {
  return <span className="wb-hidden">{children}</span>;
}

/** Why something was refused, where it was asked for. */
export function Refusal({
  children,
  urgent = false,
  onClose
}: {
  children: ReactNode;
  urgent?: boolean;
  onClose?: () => void;
}) {
  return (
    <div className="wb-refusal" role={urgent ? 'alert' : undefined} data-testid="wb-refusal">
      <Icon name="alert" />
      <div className="wb-refusal-text">{children}</div>
      {onClose && <Button icon="close" look="quiet" label="Dismiss" onClick={onClose} />}
    </div>
  );
}

export function Code({ children }: { children: string }) {
  return <code className="wb-code">{children}</code>;
}
