import { setTimeout as pause } from 'node:timers/promises';

/** Counts the work under way that time alone does not finish. */
export class Activity {
  #underWay = 0;

  get isBusy(): boolean {
    return this.#underWay > 0;
  }

  async during<T>(work: () => Promise<T>): Promise<T> {
    this.#underWay++;
    try {
      return await work();
    } finally {
      this.#underWay--;
    }
  }
}

/** Resolves as soon as `isBusy()` is false. Looks every millisecond of real time: HTTP is under way. */
export async function untilQuiet(isBusy: () => boolean): Promise<void> {
  while (isBusy()) await pause(1);
}
