import prettier from 'eslint-config-prettier';
import hooks from 'eslint-plugin-react-hooks';
import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['lib/**', 'node_modules/**', '.yarn/**'] },
  {
    files: ['src/**/*.{ts,tsx}'],
    extends: [...tseslint.configs.strictTypeChecked, ...tseslint.configs.stylisticTypeChecked],
    plugins: { 'react-hooks': hooks },
    languageOptions: {
      parserOptions: {
        project: ['./tsconfig.json', './tsconfig.bench.json', './tsconfig.test.json'],
        tsconfigRootDir: import.meta.dirname
      }
    },
    rules: {
      ...hooks.configs.recommended.rules,
      'no-console': 'error',
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      // Numbers in template strings are what labels and paths are made of.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // `() => void promise` and `onClick={() => setOpen(true)}` are the clear way to write these.
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      // `signal.connect(this.method, this)` is how Lumino binds a slot, and how it finds it again.
      '@typescript-eslint/unbound-method': 'off'
    }
  },
  prettier
);
