/** Every edit with its code, newest first; back and forth; all of it as a script. */
import { count } from '../format';
import { useHistory, useSession } from '../hooks';
import { Button, Code, CopyButton } from '../shell/parts';

export function HistoryPanel() {
  const session = useSession();
  const { edits, can_undo, can_redo } = useHistory();
  return (
    <div className="wb-history" data-testid="wb-history">
      <div className="wb-toolbar">
        <Button
          icon="undo"
          label="Undo"
          labelled
          disabled={!can_undo}
          onClick={() => void session.run('undo')}
        />
        <Button
          icon="redo"
          label="Redo"
          labelled
          disabled={!can_redo}
          onClick={() => void session.run('redo')}
        />
        <span className="wb-spring" />
        <CopyButton
          label="Copy as script"
          labelled
          testid="wb-copy-script"
          text={() => session.text('script')}
        />
        <CopyButton
          label="Copy network code"
          labelled
          testid="wb-copy-code"
          text={() => session.text('code')}
        />
      </div>
      {edits.length === 0 ? (
        <p className="wb-empty">
          No edits yet. Add, change or remove a layer, even while it trains.
        </p>
      ) : (
        <ol className="wb-edits" reversed>
          {[...edits].reverse().map(edit => (
            <li key={edit.seq} data-state={edit.state} data-testid="wb-edit" data-seq={edit.seq}>
              <div className="wb-edit-head">
                <span className="wb-edit-label">{edit.label}</span>
                <span className="wb-muted">
                  {edit.step != null ? `step ${count(edit.step)}` : 'before training'}
                  {edit.state === 'undone' ? ' · undone' : ''}
                </span>
                <CopyButton label="Copy the code of this edit" text={() => edit.code} />
              </div>
              <Code>{edit.code}</Code>
            </li>
          ))}
        </ol>
      )}
    </div>
  );
}
