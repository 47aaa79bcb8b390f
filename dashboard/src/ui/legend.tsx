/** What the lines of a plot are, in words; the plot's own legend moves and cannot be copied. */
export function Legend({ items }: { items: readonly (readonly [token: string, words: string])[] }) {
  return (
    <figcaption class="legend">
      {items.map(([token, words]) => (
        <span key={words} class={`legend-item legend-${token}`}>
          {words}
        </span>
      ))}
    </figcaption>
  );
}
