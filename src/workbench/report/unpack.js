// Long data are in the page as Base64 over DEFLATE, which the browser unpacks without any library.

/** The text that is packed in an element. */
async function unpack(id) {
  const packed = atob(find(id).textContent);
  find(id).remove();
  const bytes = new Uint8Array(packed.length);
  for (let i = 0; i < bytes.length; i += 1) bytes[i] = packed.charCodeAt(i);
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"))).text();
}

/** The sums of all elements up to each: numbers are stored as differences. */
function sums(differences) {
  const all = new Float64Array(differences.length);
  let sum = 0;
  for (let i = 0; i < all.length; i += 1) all[i] = sum += differences[i];
  return all;
}
