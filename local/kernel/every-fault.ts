import type { FaultAction, Faults } from './faults.ts';

/** One run with one fault. */
export interface Trial {
  readonly action: FaultAction;
  /** Which call of the run it strikes, from 1. */
  readonly nth: number;
  /** The RPC that was struck; undefined if the run made fewer calls this time. */
  readonly rpc: string | undefined;
  readonly end: 'done' | 'failed' | 'crashed' | 'hung';
  /** Why the run failed. */
  readonly error?: unknown;
  /** For messages: `crash at RPC 3 (Commit)`. */
  readonly label: string;
}

export interface EveryFault<Stage> {
  /** A fresh or restored embedded cloud, with what the run needs; called before every run. */
  readonly open: () => Promise<Stage>;
  /** Looks whether all is well after the fault; throws if not. */
  readonly check: (stage: Stage, trial: Trial) => Promise<void>;
  /** Defaults to `DISTURBANCES`. */
  readonly actions?: readonly FaultAction[];
  /** What a caller does after a run that did not end well: start again, ask again. Faults are gone. */
  readonly recover?: (stage: Stage, trial: Trial) => Promise<void>;
  readonly close?: (stage: Stage) => Promise<void>;
}

/** The ways in which one call goes wrong, before it is applied and after. */
export const DISTURBANCES: readonly FaultAction[] = [
  { kind: 'fail', code: 'UNAVAILABLE' },
  { kind: 'lose-acknowledgement', code: 'UNAVAILABLE' },
  { kind: 'crash-before' },
  { kind: 'crash' },
];

/** Real time after which a run with a `hang` counts as hung. */
const HANG_MS = 1000;

/**
 * Plays a scenario once to count its RPCs and then once for every RPC and action, with that RPC struck.
 * A run whose process crashes is left as it is: it never hears of anything again.
 *
 * @param run the scenario; it may fail, which `recover` and `check` then hear of
 * @returns how many RPCs the undisturbed run made, and every trial
 */
export async function everyFault<Stage extends { readonly faults: Faults }>(
  run: (stage: Stage) => Promise<unknown>,
  { open, check, actions = DISTURBANCES, recover, close }: EveryFault<Stage>,
): Promise<{ calls: number; trials: Trial[] }> {
  const calls = await countCalls(run, open, close);
  const trials: Trial[] = [];
  for (const action of actions)
    for (let nth = 1; nth <= calls; nth++) {
      const stage = await open();
      try {
        const trial = await play(run, stage, action, nth);
        trials.push(trial);
        stage.faults.clear();
        if (trial.end !== 'done') await recover?.(stage, trial);
        await check(stage, trial);
      } catch (error) {
        throw new Error(`${nameOf(action)} at RPC ${nth} of ${calls}`, { cause: error });
      } finally {
        stage.faults.clear();
        await close?.(stage);
      }
    }
  return { calls, trials };
}

const nameOf = (action: FaultAction) =>
  action.kind === 'fail' ? `${action.kind} ${action.code}` : action.kind;

async function countCalls<Stage extends { readonly faults: Faults }>(
  run: (stage: Stage) => Promise<unknown>,
  open: EveryFault<Stage>['open'],
  close: EveryFault<Stage>['close'],
): Promise<number> {
  const stage = await open();
  let calls = 0;
  const action = { kind: 'hang' } as const;
  const when = () => ++calls < 0;
  const stop = stage.faults.inject({ rpc: '*', when, action });
  try {
    await run(stage);
  } finally {
    stop();
    await close?.(stage);
  }
  return calls;
}

async function play<Stage extends { readonly faults: Faults }>(
  run: (stage: Stage) => Promise<unknown>,
  stage: Stage,
  action: FaultAction,
  nth: number,
): Promise<Trial> {
  const { faults } = stage;
  const struck = noteStruck(faults, action, nth);
  const crashed = new Promise<{ end: 'crashed' }>((done) => {
    const stop = faults.onCrash(() => {
      stop();
      done({ end: 'crashed' });
    });
  });
  const ran = run(stage).then(
    () => ({ end: 'done' as const }),
    (error: unknown) => ({ end: 'failed' as const, error }),
  );
  let timer: NodeJS.Timeout | undefined;
  const hung = new Promise<{ end: 'hung' }>((done) => {
    if (action.kind === 'hang') timer = setTimeout(() => done({ end: 'hung' }), HANG_MS);
  });
  const outcome = await Promise.race([crashed, ran, hung]);
  clearTimeout(timer);
  const rpc = struck();
  return { ...outcome, action, nth, rpc, label: `${nameOf(action)} at RPC ${nth} (${rpc})` };
}

/** Injects the fault; the result tells which RPC it struck. */
function noteStruck(faults: Faults, action: FaultAction, nth: number): () => string | undefined {
  let rpc: string | undefined;
  faults.inject({
    rpc: '*',
    after: nth - 1,
    action,
    onStrike: (name) => {
      rpc = name;
    },
  });
  return () => rpc;
}
