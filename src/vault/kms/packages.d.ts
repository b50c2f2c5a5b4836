// Packages that are not among our dependencies: whoever configures their service installs them, and what comes is checked when it is there.
declare module '@aws-sdk/client-kms'
declare module '@azure/identity'
declare module '@azure/keyvault-keys'
declare module '@google-cloud/kms'
