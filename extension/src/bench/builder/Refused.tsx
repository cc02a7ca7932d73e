/** Why an edit was refused; where remaking the layers after it would help, a button that does so. */
import { useEffect, useState } from 'react';
import type { CommandError } from '../client';
import { useSession } from '../hooks';
import type { Edit, Preview } from '../protocol';
import { Button, Refusal } from '../shell/parts';
import { fitting } from './fitting';
import { changesOf } from './Outcome';
import { useBuilder } from './useBuilder';
import { rescueOf } from './useCheck';

export interface RefusedEdit {
  problem: CommandError;
  edit: Edit | null;
}

interface Props extends RefusedEdit {
  onClose: () => void;
}

export function Refused({ problem, edit, onClose }: Props) {
  const { client } = useSession();
  const { graph, apply } = useBuilder();
  const [rescue, setRescue] = useState<Preview | null>(null);
  useEffect(() => {
    let live = true;
    if (edit) {
      void rescueOf(client, edit).then(found => {
        if (live) {
          setRescue(found);
        }
      });
    }
    return () => {
      live = false;
    };
  }, [client, edit]);
  const change = rescue ? changesOf(rescue, graph).find(line => line.includes('new weights')) : '';
  return (
    <Refusal urgent onClose={onClose}>
      {problem.message}
      {edit && rescue && (
        <span className="wb-rescue">
          <Button
            label="Remake to fit"
            title={change}
            data-testid="wb-rescue"
            onClick={() => {
              void apply(fitting(edit)).then(refused => {
                if (!refused) {
                  onClose();
                }
              });
            }}
          />
        </span>
      )}
    </Refusal>
  );
}
