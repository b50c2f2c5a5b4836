// Our own client at our own authorization server: it only brings a browser to the sign-in pages and back. Its codes are never redeemed.
export const SIGN_IN_CLIENT = 'portcullis-sign-in'
/** Where the browser comes back to, on our origin. */
export const SIGN_IN_PATH = '/auth/sign-in'
