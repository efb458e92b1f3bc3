/**
 * Counters in the text format of Prometheus.
 *
 * @module
 */

type Labels = Readonly<Record<string, string>>;

interface Family {
  readonly help: string;
  readonly kind: 'counter' | 'gauge';
  readonly values: Map<string, number>;
}

const FAMILIES = {
  a3s_broker_answers_total: ['counter', 'Answers to guests, by request and code.'],
  a3s_broker_admin_answers_total: ['counter', 'Answers to administrators, by status.'],
  a3s_broker_rate_limited_total: ['counter', 'Requests that were refused for their number.'],
  a3s_broker_sessions: ['gauge', 'Sessions of guests, challenged or attested.'],
  a3s_broker_root_key_epoch: ['gauge', 'The current epoch of the root key.'],
  a3s_broker_audit_entries: ['gauge', 'Entries of the audit log.'],
} as const;

export type MetricName = keyof typeof FAMILIES;

export class Metrics {
  readonly #families = new Map<MetricName, Family>(
    Object.entries(FAMILIES).map(([name, [kind, help]]) => [
      name as MetricName,
      { kind, help, values: new Map() },
    ]),
  );

  /** Labels have values of this program alone: nothing that a client sends becomes one. */
  count(name: MetricName, labels: Labels = {}): void {
    const { values } = this.#family(name);
    const key = labelsOf(labels);
    values.set(key, (values.get(key) ?? 0) + 1);
  }

  set(name: MetricName, value: number): void {
    this.#family(name).values.set('', value);
  }

  text(): string {
    return [...this.#families]
      .map(([name, { help, kind, values }]) => {
        const samples = [...values].map(([labels, value]) => `${name}${labels} ${value}\n`);
        return `# HELP ${name} ${help}\n# TYPE ${name} ${kind}\n${samples.join('')}`;
      })
      .join('');
  }

  #family(name: MetricName): Family {
    const family = this.#families.get(name);
    if (family === undefined) throw new TypeError(`no metric ${name}`);
    return family;
  }
}

function labelsOf(labels: Labels): string {
  const parts = Object.entries(labels).map(([name, value]) => `${name}="${value}"`);
  return parts.length === 0 ? '' : `{${parts.join(',')}}`;
}
