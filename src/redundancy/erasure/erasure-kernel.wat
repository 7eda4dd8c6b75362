;; Sums of multiples of slices in GF(2^8), 16 bytes at a time: a product is the sum of two look-ups, of the lower and of the
;; upper four bits, and i8x16.swizzle looks up 16 bytes at once (Plank, Greenan, Miller: "Screaming Fast Galois Field Arithmetic
;; Using Intel SIMD Instructions", FAST 2013).
;;
;; The memory has a fixed size; who calls lays it out (wasm.erasure-kernel.ts). Sources lie one behind the other, $stride bytes
;; apart. $length is a multiple of 32. The tables of a factor are 32 bytes: its products with 0 to 15, then with 0, 16, ... 240;
;; the tables of a row are those of its factors, one behind the other.
(module
  (memory (export "memory") 8 8)

  ;; out = the sum of all sources.
  (func (export "sum") (param $source i32) (param $stride i32) (param $sources i32) (param $out i32) (param $length i32)
    (local $end i32) (local $from i32) (local $left i32) (local $a v128) (local $b v128)
    (local.set $end (i32.add (local.get $out) (local.get $length)))
    (loop $blocks
      (local.set $from (local.get $source))
      (local.set $left (local.get $sources))
      (local.set $a (v128.const i32x4 0 0 0 0))
      (local.set $b (v128.const i32x4 0 0 0 0))
      (loop $each
        (local.set $a (v128.xor (local.get $a) (v128.load (local.get $from))))
        (local.set $b (v128.xor (local.get $b) (v128.load offset=16 (local.get $from))))
        (local.set $from (i32.add (local.get $from) (local.get $stride)))
        (br_if $each (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
      (v128.store (local.get $out) (local.get $a))
      (v128.store offset=16 (local.get $out) (local.get $b))
      (local.set $source (i32.add (local.get $source) (i32.const 32)))
      (br_if $blocks (i32.lt_u (local.tee $out (i32.add (local.get $out) (i32.const 32))) (local.get $end)))))

  ;; out = one row of a combination.
  (func (export "row") (param $source i32) (param $stride i32) (param $sources i32) (param $tables i32) (param $out i32) (param $length i32)
    (local $end i32) (local $from i32) (local $left i32) (local $table i32) (local $mask v128)
    (local $x v128) (local $y v128) (local $low v128) (local $high v128) (local $a v128) (local $b v128)
    (local.set $mask (i8x16.splat (i32.const 15)))
    (local.set $end (i32.add (local.get $out) (local.get $length)))
    (loop $blocks
      (local.set $from (local.get $source))
      (local.set $left (local.get $sources))
      (local.set $table (local.get $tables))
      (local.set $a (v128.const i32x4 0 0 0 0))
      (local.set $b (v128.const i32x4 0 0 0 0))
      (loop $each
        (local.set $x (v128.load (local.get $from)))
        (local.set $y (v128.load offset=16 (local.get $from)))
        (local.set $low (v128.load (local.get $table)))
        (local.set $high (v128.load offset=16 (local.get $table)))
        (local.set $a (v128.xor (local.get $a) (v128.xor
          (i8x16.swizzle (local.get $low) (v128.and (local.get $x) (local.get $mask)))
          (i8x16.swizzle (local.get $high) (v128.and (i16x8.shr_u (local.get $x) (i32.const 4)) (local.get $mask))))))
        (local.set $b (v128.xor (local.get $b) (v128.xor
          (i8x16.swizzle (local.get $low) (v128.and (local.get $y) (local.get $mask)))
          (i8x16.swizzle (local.get $high) (v128.and (i16x8.shr_u (local.get $y) (i32.const 4)) (local.get $mask))))))
        (local.set $table (i32.add (local.get $table) (i32.const 32)))
        (local.set $from (i32.add (local.get $from) (local.get $stride)))
        (br_if $each (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
      (v128.store (local.get $out) (local.get $a))
      (v128.store offset=16 (local.get $out) (local.get $b))
      (local.set $source (i32.add (local.get $source) (i32.const 32)))
      (br_if $blocks (i32.lt_u (local.tee $out (i32.add (local.get $out) (i32.const 32))) (local.get $end)))))

  ;; Two rows at once, which share the work of taking the sources apart; the second output lies $stride bytes behind the first.
  (func (export "rows2") (param $source i32) (param $stride i32) (param $sources i32) (param $tables i32) (param $out i32) (param $length i32)
    (local $end i32) (local $from i32) (local $left i32) (local $table i32) (local $second i32) (local $mask v128)
    (local $x v128) (local $y v128) (local $u v128) (local $v v128) (local $low v128) (local $high v128)
    (local $a v128) (local $b v128) (local $c v128) (local $d v128)
    (local.set $mask (i8x16.splat (i32.const 15)))
    (local.set $end (i32.add (local.get $out) (local.get $length)))
    (loop $blocks
      (local.set $from (local.get $source))
      (local.set $left (local.get $sources))
      (local.set $table (local.get $tables))
      (local.set $second (i32.add (local.get $tables) (i32.shl (local.get $sources) (i32.const 5))))
      (local.set $a (v128.const i32x4 0 0 0 0))
      (local.set $b (v128.const i32x4 0 0 0 0))
      (local.set $c (v128.const i32x4 0 0 0 0))
      (local.set $d (v128.const i32x4 0 0 0 0))
      (loop $each
        (local.set $x (v128.load (local.get $from)))
        (local.set $y (v128.load offset=16 (local.get $from)))
        (local.set $u (v128.and (i16x8.shr_u (local.get $x) (i32.const 4)) (local.get $mask)))
        (local.set $v (v128.and (i16x8.shr_u (local.get $y) (i32.const 4)) (local.get $mask)))
        (local.set $x (v128.and (local.get $x) (local.get $mask)))
        (local.set $y (v128.and (local.get $y) (local.get $mask)))
        (local.set $low (v128.load (local.get $table)))
        (local.set $high (v128.load offset=16 (local.get $table)))
        (local.set $a (v128.xor (local.get $a) (v128.xor
          (i8x16.swizzle (local.get $low) (local.get $x)) (i8x16.swizzle (local.get $high) (local.get $u)))))
        (local.set $b (v128.xor (local.get $b) (v128.xor
          (i8x16.swizzle (local.get $low) (local.get $y)) (i8x16.swizzle (local.get $high) (local.get $v)))))
        (local.set $low (v128.load (local.get $second)))
        (local.set $high (v128.load offset=16 (local.get $second)))
        (local.set $c (v128.xor (local.get $c) (v128.xor
          (i8x16.swizzle (local.get $low) (local.get $x)) (i8x16.swizzle (local.get $high) (local.get $u)))))
        (local.set $d (v128.xor (local.get $d) (v128.xor
          (i8x16.swizzle (local.get $low) (local.get $y)) (i8x16.swizzle (local.get $high) (local.get $v)))))
        (local.set $table (i32.add (local.get $table) (i32.const 32)))
        (local.set $second (i32.add (local.get $second) (i32.const 32)))
        (local.set $from (i32.add (local.get $from) (local.get $stride)))
        (br_if $each (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
      (v128.store (local.get $out) (local.get $a))
      (v128.store offset=16 (local.get $out) (local.get $b))
      (v128.store (i32.add (local.get $out) (local.get $stride)) (local.get $c))
      (v128.store offset=16 (i32.add (local.get $out) (local.get $stride)) (local.get $d))
      (local.set $source (i32.add (local.get $source) (i32.const 32)))
      (br_if $blocks (i32.lt_u (local.tee $out (i32.add (local.get $out) (i32.const 32))) (local.get $end))))))
