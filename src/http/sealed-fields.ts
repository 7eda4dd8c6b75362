import { applyDecorators } from '@nestjs/common';
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsArray, IsOptional, IsString, Matches, MaxLength, ArrayMaxSize } from 'class-validator';

const BASE64URL = /^[\w-]*$/;
const EXAMPLE = 'AQIDBA';

interface Sealed {
  readonly description: string;
  readonly bytesMax: number;
}

const described = ({ description, bytesMax }: Sealed) =>
  ({ type: 'string', description: `${description}; base64url of at most ${bytesMax} bytes`, example: EXAMPLE }) as const;

const lengthOf = (bytes: number): number => Math.ceil((bytes * 4) / 3);

/** Bytes in a body, as base64url. */
export function SealedField(sealed: Sealed): PropertyDecorator {
  return applyDecorators(ApiProperty(described(sealed)), isSealed(sealed));
}

export function OptionalSealedField(sealed: Sealed): PropertyDecorator {
  return applyDecorators(ApiPropertyOptional(described(sealed)), IsOptional(), isSealed(sealed));
}

interface SealedList extends Sealed {
  readonly countMax: number;
}

/** A list of bytes. */
export function SealedFields(sealed: SealedList): PropertyDecorator {
  return applyDecorators(ApiProperty(describedList(sealed)), isSealedList(sealed));
}

export function OptionalSealedFields(sealed: SealedList): PropertyDecorator {
  return applyDecorators(ApiPropertyOptional(describedList(sealed)), IsOptional(), isSealedList(sealed));
}

const describedList = ({ countMax, ...sealed }: SealedList) =>
  ({ ...described(sealed), isArray: true, example: [EXAMPLE] as string[], maxItems: countMax }) as const;

function isSealedList({ countMax, bytesMax }: SealedList): PropertyDecorator {
  return applyDecorators(
    IsArray(),
    ArrayMaxSize(countMax),
    IsString({ each: true }),
    Matches(BASE64URL, { each: true, message: '$property must be base64url' }),
    MaxLength(lengthOf(bytesMax), { each: true }),
  );
}

function isSealed({ bytesMax }: Sealed): PropertyDecorator {
  return applyDecorators(
    IsString(),
    Matches(BASE64URL, { message: '$property must be base64url' }),
    MaxLength(lengthOf(bytesMax)),
  );
}

export function bytesOf(text: string): Uint8Array {
  return Buffer.from(text, 'base64url');
}

export function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64url');
}
