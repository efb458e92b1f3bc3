/**
 * Finds titles of tests that have no subject.
 *
 * A title is read alone, in a list of failures: `refuses an unsigned image` says what the code does
 * there, `is refused` does not say what is.
 *
 * @module
 */
import ts from 'typescript';

export interface Title {
  /** From 1. */
  readonly line: number;
  readonly text: string;
}

/** Verbs of a sentence whose subject is elsewhere; `does not start a box` has its object. */
const NO_SUBJECT = /^(?:(?:is|are|has|have|had|was|were|may|can|do|did)\b|does\b(?! not\b))/;

/** In the order of the file. */
export function titlesWithoutSubject(text: string): Title[] {
  const source = ts.createSourceFile('source.ts', text, ts.ScriptTarget.Latest, true);
  const found: Title[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && isTest(node.expression)) {
      const [title] = node.arguments;
      if (title !== undefined && isText(title) && NO_SUBJECT.test(title.getText(source).slice(1))) {
        const line = source.getLineAndCharacterOfPosition(title.getStart(source)).line + 1;
        found.push({ line, text: title.getText(source).slice(1, -1) });
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

/** `it`, `test`, and what is made of them, such as `it.skipIf(…)` and `it.each([…])`. */
function isTest(called: ts.Expression): boolean {
  if (ts.isIdentifier(called)) return called.text === 'it' || called.text === 'test';
  if (ts.isPropertyAccessExpression(called)) return isTest(called.expression);
  if (ts.isCallExpression(called)) return isTest(called.expression);
  return ts.isTaggedTemplateExpression(called) && isTest(called.tag);
}

function isText(node: ts.Expression): boolean {
  return ts.isStringLiteralLike(node) || ts.isTemplateExpression(node);
}
