/** A small palette for the harness, in the shape in which the kernel sends the real one. */
import type { Catalogue, Param } from '../protocol';

const param = (name: string, kind: Param['kind'], more: Partial<Param> = {}): Param => ({
  name,
  kind,
  default: null,
  required: false,
  inferred: false,
  nullable: false,
  min: null,
  max: null,
  choices: null,
  doc: '',
  ...more
});

const layer = (type: string, doc: string, params: Param[] = [], inputs = 1) => ({
  type,
  doc,
  inputs,
  params
});

const bias = param('bias', 'bool', { default: true, doc: 'add a learned offset' });

export const CATALOGUE: Catalogue = {
  families: [
    {
      name: 'Linear',
      layers: [
        layer('Linear', 'Every output is a weighted sum of all inputs.', [
          param('in_features', 'int', { required: true, inferred: true, min: 1 }),
          param('out_features', 'int', { required: true, default: 64, min: 1, doc: 'outputs' }),
          bias
        ])
      ]
    },
    {
      name: 'Convolution',
      layers: [
        layer('Conv2d', 'Slides small learned filters over an image.', [
          param('in_channels', 'int', { required: true, inferred: true, min: 1 }),
          param('out_channels', 'int', { required: true, default: 16, min: 1, doc: 'filters' }),
          param('kernel_size', 'ints', { required: true, default: 3, min: 1, doc: 'in pixels' }),
          param('stride', 'ints', { default: 1, min: 1 }),
          param('padding', 'ints', { default: 0, min: 0, choices: ['same', 'valid'] }),
          param('dilation', 'ints', { default: 1, min: 1 }),
          param('groups', 'int', { default: 1, min: 1 }),
          bias
        ])
      ]
    },
    {
      name: 'Pooling',
      layers: [
        layer('MaxPool2d', 'Keeps the largest value of each window.', [
          param('kernel_size', 'ints', { required: true, default: 2, min: 1 })
        ]),
        layer('AvgPool2d', 'Keeps the mean of each window.', [
          param('kernel_size', 'ints', { required: true, default: 2, min: 1 })
        ])
      ]
    },
    {
      name: 'Activation',
      layers: [
        layer('ReLU', 'Cuts negative values to zero.'),
        layer('LeakyReLU', 'Like ReLU, but lets a little of the negative side through.', [
          param('negative_slope', 'float', { default: 0.01 })
        ]),
        layer('GELU', 'A smooth ReLU; common in transformers.', [
          param('approximate', 'choice', { default: 'none', choices: ['none', 'tanh'] })
        ]),
        layer('Sigmoid', 'Squeezes every value between 0 and 1.'),
        layer('Tanh', 'Squeezes every value between −1 and 1.')
      ]
    },
    {
      name: 'Normalization',
      layers: [
        layer('BatchNorm2d', 'Centres and scales each channel over the batch.', [
          param('num_features', 'int', { required: true, inferred: true })
        ]),
        layer('LayerNorm', 'Centres and scales each example.', [
          param('normalized_shape', 'ints', { required: true, inferred: true })
        ])
      ]
    },
    {
      name: 'Regularization',
      layers: [
        layer('Dropout', 'Switches off a random part of its input while training.', [
          param('p', 'float', { default: 0.5, min: 0, max: 1, doc: 'part switched off' })
        ])
      ]
    },
    {
      name: 'Shape',
      layers: [
        layer('Flatten', 'Lays out each example’s values in one row.'),
        layer('Identity', 'Hands its input on unchanged.')
      ]
    },
    {
      name: 'Join',
      layers: [
        layer('Add', 'The sum of its inputs: a residual connection.', [], 2),
        layer('Concat', 'Puts its inputs side by side.', [param('dim', 'int', { default: 1 })], 2)
      ]
    }
  ]
};
