/** Makes a photo small before it is kept: little data for a poor line, and none of what cameras write into files (place, owner). */
import { sha256 } from "./sha256";
import type { Picture } from "./picture";

const EDGE_MAX = 1600;
const THUMB_EDGE = 112;
/** The first that is small enough. */
const QUALITIES = [0.8, 0.6, 0.4];

export class PhotoError extends Error {
  constructor(readonly why: "bad" | "big") {
    super(why);
  }
}

function draw(image: ImageBitmap, edge: number): HTMLCanvasElement {
  const scale = Math.min(1, edge / Math.max(image.width, image.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(image.width * scale));
  canvas.height = Math.max(1, Math.round(image.height * scale));
  const context = canvas.getContext("2d");
  if (context === null) throw new PhotoError("bad");
  context.fillStyle = "#fff"; // JPEG has no transparency
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  return canvas;
}

function pack(canvas: HTMLCanvasElement, quality: number): Promise<Blob> {
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob === null ? reject(new PhotoError("bad")) : resolve(blob)), "image/jpeg", quality);
  });
}

export async function shrink(file: Blob, bytes_max: number): Promise<Picture> {
  const image = await createImageBitmap(file, { imageOrientation: "from-image" }).catch(() => {
    throw new PhotoError("bad");
  });
  try {
    const canvas = draw(image, EDGE_MAX);
    for (const quality of QUALITIES) {
      const bytes = await pack(canvas, quality);
      if (bytes.size > bytes_max) continue;
      const hash = sha256(new Uint8Array(await bytes.arrayBuffer()));
      const thumb = draw(image, THUMB_EDGE).toDataURL("image/jpeg", 0.7);
      return { photo: { hash, bytes: bytes.size, thumb }, bytes };
    }
    throw new PhotoError("big");
  } finally {
    image.close();
  }
}
