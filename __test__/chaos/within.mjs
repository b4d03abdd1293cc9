/**
 * A promise that is rejected when it has not come to its end within so many ms.
 *
 * @param {() => string} say what has not
 */
export async function within(milliseconds, promise, say) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(say())), milliseconds);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
