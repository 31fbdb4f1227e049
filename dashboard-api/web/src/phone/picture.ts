/** A photo that lies on the phone. */
export interface Photo {
  /** SHA-256 of its bytes, hex. */
  hash: string;
  bytes: number;
  /** A small picture as a data URL, for this screen only. */
  thumb: string;
}

/** One with its bytes, as it goes out. */
export interface Picture {
  photo: Photo;
  bytes: Blob;
}
