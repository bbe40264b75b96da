interface Strike<Subject, Action> {
  matches(name: string, subject: Subject): boolean;
  /** Matches that pass first. */
  readonly after: number;
  /** How often it strikes. */
  readonly times: number;
  action(name: string): Action;
}

/** Counts what each rule let pass and struck. The first rule that strikes wins. */
export class Strikes<Subject, Action> {
  #rules: { rule: Strike<Subject, Action>; passed: number; struck: number }[] = [];

  /** The returned function withdraws the rule. */
  add(rule: Strike<Subject, Action>): () => void {
    const entry = { rule, passed: 0, struck: 0 };
    this.#rules.push(entry);
    return () => void (this.#rules = this.#rules.filter((other) => other !== entry));
  }

  clear(): void {
    this.#rules = [];
  }

  strike(name: string, subject: Subject): Action | undefined {
    for (const entry of this.#rules) {
      const { rule } = entry;
      if (entry.struck >= rule.times || !rule.matches(name, subject)) continue;
      if (entry.passed++ < rule.after) continue;
      entry.struck++;
      return rule.action(name);
    }
    return undefined;
  }
}
