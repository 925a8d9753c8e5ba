module.exports = {
  testEnvironment: 'jsdom',
  roots: ['<rootDir>/src'],
  modulePathIgnorePatterns: ['<rootDir>/lib'],
  moduleNameMapper: { '\\.css$': '<rootDir>/src/__tests__/style.js' },
  setupFiles: ['<rootDir>/src/__tests__/setup.js'],
  transform: {
    '^.+\\.tsx?$': [
      'ts-jest',
      {
        tsconfig: {
          module: 'commonjs',
          moduleResolution: 'node10',
          jsx: 'react-jsx',
          esModuleInterop: true,
          isolatedModules: true
        }
      }
    ]
  },
  testRegex: '/__tests__/.*\\.test\\.tsx?$'
};
