// The version of this build, as peers see it. A test holds it equal to package.json.

export const version = '0.1.0'
