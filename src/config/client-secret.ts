// A secret that proves a client. Nothing is no secret: a variable set to nothing would only be met at the first sign-in.
import { z } from 'zod'

export const clientSecret = z.string().min(1, 'It is empty. A variable that it comes from may be set to nothing.')
