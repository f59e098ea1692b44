// Numbers and names as text.

export const count = (number) => number.toLocaleString("en-US");
export const short = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
