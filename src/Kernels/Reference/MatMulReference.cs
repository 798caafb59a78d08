namespace ManagedTransformers.Kernels;

/// <summary>y[i, j] = act(Σ x[i, p] · w[j, p] + bias[j]) + residual[i, j].</summary>
internal static class MatMulReference
{
    public static void Run(ReadOnlySpan<float> x, int m, WeightMatrix w, Span<float> y, in Epilogue epilogue)
    {
        int n = w.N, k = w.K;
        float[] row = new float[k];                                  // one weight row in float32
        for (int j = 0; j < n; j++)
        {
            ConversionReference.WidenRow(w.Row(j), w.Type, row);
            for (int i = 0; i < m; i++)
            {
                double sum = 0;
                ReadOnlySpan<float> xi = x.Slice(i * k, k);
                for (int p = 0; p < row.Length; p++) sum += (double)xi[p] * row[p];
                if (!epilogue.Bias.IsEmpty) sum += epilogue.Bias[j];
                sum = ActivationReference.Value(epilogue.Activation, sum);
                if (!epilogue.Residual.IsEmpty) sum += epilogue.Residual[(i * n) + j];
                y[(i * n) + j] = (float)sum;
            }
        }
    }
}
