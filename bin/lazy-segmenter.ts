// In the place of Intl.Segmenter inside the bundle (see build.ts): the same, made at its first use. yargs' and cli-table3's
// string-width make theirs when they are loaded, and one that exists cannot be in a startup snapshot.

const { Segmenter } = globalThis['Intl'];

export class LazySegmenter {
  #segmenter: Intl.Segmenter | undefined;

  segment(text: string): Intl.Segments {
    this.#segmenter ??= new Segmenter();
    return this.#segmenter.segment(text);
  }
}
