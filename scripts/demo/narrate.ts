import { styleText } from 'node:util';

export interface Narrator {
  /** A numbered heading. */
  step(title: string): void;
  tell(text: string): void;
  good(text: string): void;
  /** Something that was meant to be refused, and was. */
  refused(text: string): void;
  /** What is being waited for: one line that renews itself on a terminal, else a line now and then. */
  waiting(text: string, elapsedMs: number): void;
  /** Before the first heading and after the last. */
  banner(text: string): void;
}

/** How often a wait is mentioned where a line cannot be renewed. */
const MENTION_MS = 5_000;

/** @param print takes whole lines without colours; absent, the story goes to standard output */
export function narrate(print?: (line: string) => void): Narrator {
  const isTerminal = print === undefined && process.stdout.isTTY;
  const isColoured = isTerminal && (process.env['NO_COLOR'] ?? '') === '';
  const style = (format: Parameters<typeof styleText>[0], text: string) =>
    isColoured ? styleText(format, text, { validateStream: false }) : text;
  let steps = 0;
  let isWaitShown = false;
  let mentionedMs = 0;

  function line(text: string): void {
    if (print) return print(text);
    process.stdout.write(`${isWaitShown ? '\r\u001b[2K' : ''}${text}\n`);
    isWaitShown = false;
  }

  return {
    step(title) {
      steps++;
      mentionedMs = 0;
      line('');
      line(style('bold', `${steps}. ${title}`));
    },
    tell: (text) => line(`   ${text}`),
    good: (text) => line(`   ${style('green', '✓')} ${text}`),
    refused: (text) => line(`   ${style('yellow', '✗')} ${text}`),
    banner: (text) => line(text),
    waiting(text, elapsedMs) {
      const full = `… ${text}, ${Math.floor(elapsedMs / 1_000)} s`;
      if (isTerminal) {
        const room = Math.max(20, (process.stdout.columns || 80) - 4);
        process.stdout.write(`\r\u001b[2K   ${style('dim', full.slice(0, room))}`);
        isWaitShown = true;
      } else if (elapsedMs - mentionedMs >= MENTION_MS) {
        mentionedMs = elapsedMs;
        line(`   ${full}`);
      }
    },
  };
}

/** Shows which key it is without showing the key: `aex_pk_live_…ab12`. */
export const masked = (key: string): string =>
  `${key.slice(0, key.lastIndexOf('_') + 1)}…${key.slice(-4)}`;

/** `150000000` as `150,000,000`; the digits after a point stay as they are. */
export const grouped = (amount: string): string => {
  const [whole = '', fraction] = amount.split('.');
  const groups = whole.replaceAll(/\B(?=(?:\d{3})+$)/g, ',');
  return fraction === undefined ? groups : `${groups}.${fraction}`;
};

export const priceOf = ({ price, currency }: { price: string; currency: string }): string =>
  `${grouped(price)} ${currency}`;
