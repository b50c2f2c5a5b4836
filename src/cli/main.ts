// For callers that still name this file; main.mjs says why it is not the command itself.
import './main.mjs'
