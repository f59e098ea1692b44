// A little arithmetic.

export const clip = (value, low, high) => Math.min(high, Math.max(low, value));
export const total = (values) => values.reduce((sum, value) => sum + value, 0);
